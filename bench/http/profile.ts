import path from 'node:path';

export interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { functionName: string; url: string; lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const notWork = new Set(['(idle)', '(root)', '(program)']);
const shown = 30;

/** Starts V8's profiler in the process behind `debuggerUrl`; what it answers ends it. */
export async function startProfile(debuggerUrl: string): Promise<() => Promise<Profile>> {
  const socket = new WebSocket(debuggerUrl);
  const waiting = new Map<number, (result: { profile: Profile }) => void>();
  socket.onmessage = ({ data }) => {
    const { id, result } = JSON.parse(String(data));
    waiting.get(id)?.(result);
  };
  const call = (method: string, params = {}) =>
    new Promise<{ profile: Profile }>((resolve) => {
      const id = waiting.size + 1;
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ id, method, params }));
    });
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  await call('Profiler.enable');
  await call('Profiler.setSamplingInterval', { interval: 250 });
  await call('Profiler.start');
  return async () => {
    const { profile } = await call('Profiler.stop');
    socket.close();
    return profile;
  };
}

/**
 * A digest as Markdown: self time by place (ours, each package, Node) and by
 * function, in shares of the time in which the main thread worked.
 */
export function profileDigest(profile: Profile): string {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const byFunction = new Map<string, number>();
  const byPlace = new Map<string, number>();
  let worked = 0;
  profile.samples.forEach((id, index) => {
    const { functionName, url, lineNumber } = frames.get(id)!;
    if (notWork.has(functionName)) return;
    const spent = profile.timeDeltas[index] ?? 0;
    const place = placeOf(url, functionName);
    const where = url === '' ? '' : `${path.basename(url)}:${lineNumber + 1}`;
    const name = `\`${functionName || '(anonymous)'}\` ${where}`;
    worked += spent;
    byFunction.set(name, (byFunction.get(name) ?? 0) + spent);
    byPlace.set(place, (byPlace.get(place) ?? 0) + spent);
  });
  const table = (title: string, times: ReadonlyMap<string, number>) => {
    const lines = [...times].sort((a, b) => b[1] - a[1]).slice(0, shown);
    const rows = lines.map(([name, us]) => `| ${name} | ${((100 * us) / worked).toFixed(1)} % |`);
    return [`| ${title} | self time |`, '|---|---|', ...rows].join('\n');
  };
  return `${table('place', byPlace)}\n\n${table('function', byFunction)}`;
}

function placeOf(url: string, functionName: string): string {
  if (functionName === '(garbage collector)') return functionName;
  const dependency = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (dependency !== undefined && !dependency.startsWith('@latchkey/')) return dependency;
  if (url.startsWith('node:')) return url.replace(/^(node:internal\/[^/]+|node:[^/]+).*$/, '$1');
  const own = /\/((?:src\/[^/]+|packages\/[^/]+))\//.exec(url)?.[1];
  return own ?? (url === '' ? 'native' : path.basename(url));
}
