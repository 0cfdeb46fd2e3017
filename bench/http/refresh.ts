import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { profileDigest, startProfile } from './profile.ts';
import type { RoundRequest, RoundResult, Target } from './refresh-load.ts';
import { type CpuSeconds, cpuOf, cpuOfTree, median, post, startService } from './service.ts';

// `npm run bench:refresh`: refreshes of different sessions against one API process, which shares
// all cores with its Postgres and the load generator. The sides take turns in short rounds: first
// as fast as they answer, then at 70 % of that. `--beside <checkout>` adds the same service from
// another checkout, `--profile` writes what the API process spends its time on.

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    algorithms: { type: 'string', default: 'RS256,ES256,EdDSA' },
    beside: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
});
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);
const algorithms = flags.algorithms.split(',');
const loadBefore = loadavg()[0]!;
const sessions = 128;
const connections = 32;
const paceShare = 0.7;
const results = path.resolve(import.meta.dirname, '../results');

interface Side {
  readonly name: string;
  readonly target: Target;
  readonly cpu: () => CpuSeconds;
  readonly stop: () => Promise<void>;
}

interface Sample extends RoundResult {
  readonly apiMs: number;
  readonly postgresMs: number;
}

async function latchkey(name: string, env: Record<string, string>, checkout?: string) {
  const service = await startService(
    // The hash is not what is measured; a hundred logins come before.
    { PASSWORD_HASH_MEMORY_KIB: '8', ...env },
    { pinned: false, ...(checkout === undefined ? {} : { checkout }) },
  );
  const tokens: string[] = [];
  for (let index = 0; index < sessions; index += 1) {
    const account = {
      email: `bench-${index}@example.com`,
      password: 'violet kettle past midnight',
    };
    await post(`${service.url}/auth/register`, account);
    const { refresh_token: token } = await post(`${service.url}/auth/login`, account);
    tokens.push(token as string);
  }
  const target = {
    url: service.url,
    path: '/auth/refresh',
    contentType: 'application/json',
    body: '{"refresh_token":"{token}"}',
    tokens,
  };
  return {
    name,
    target,
    cpu: () => service.cpu(),
    stop: () => service.stop(),
    debuggerUrl: () => service.debuggerUrl(),
  };
}

async function oidcProvider(): Promise<Side | null> {
  const peers = path.resolve(import.meta.dirname, '../peers');
  if (!existsSync(path.join(peers, 'node_modules/oidc-provider'))) return null;
  const dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-bench-'));
  const silent = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
  const postgres = await startEmbeddedPostgres({ dataDir, logger: silent });
  const file = path.join(peers, 'oidc-provider.js');
  const child = spawn(process.execPath, [file, postgres.superuserUrl, String(sessions)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { PATH: process.env.PATH, NODE_ENV: 'production' },
  });
  const { port, tokens } = await answerOf<{ port: number; tokens: string[] }>(child);
  return {
    name: 'oidc-provider 9.13.3, RS256',
    target: {
      url: `http://127.0.0.1:${port}`,
      path: '/token',
      contentType: 'application/x-www-form-urlencoded',
      body: 'grant_type=refresh_token&client_id=bench&refresh_token={token}',
      tokens,
    },
    cpu: () => ({ api: cpuOf(child.pid!), postgres: cpuOfTree(postgres.pid) }),
    stop: async () => {
      child.kill();
      await once(child, 'exit');
      await postgres.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const exit = once(child, 'exit').then(() => {
    throw new Error('a process of the bench ended');
  });
  const [answer] = (await Promise.race([once(child, 'message'), exit])) as [T & { error?: string }];
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer;
}

/** The side's own load generator. */
async function loader({ target, cpu }: Side) {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'refresh-load.ts')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.send(target);
  await answerOf(child);
  const round = async (request: RoundRequest): Promise<Sample> => {
    const before = cpu();
    child.send(request);
    const result = await answerOf<RoundResult>(child);
    const after = cpu();
    const ms = (of: keyof CpuSeconds) => ((after[of] - before[of]) * 1000) / result.answers;
    return { ...result, apiMs: ms('api'), postgresMs: ms('postgres') };
  };
  return { round, stop: () => child.disconnect() };
}

async function measure(sides: readonly Side[]): Promise<string> {
  const loaders = await Promise.all(sides.map(loader));
  const full = sides.map((): Sample[] => []);
  const paced = sides.map((): Sample[] => []);
  for (let round = -1; round < rounds; round += 1) {
    for (const [index, { round: run }] of loaders.entries()) {
      const sample = await run({ seconds, connections, rate: null });
      if (round >= 0) full[index]!.push(sample);
    }
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { round: run }] of loaders.entries()) {
      const rate = paceShare * median(full[index]!.map(({ perSecond }) => perSecond));
      paced[index]!.push(await run({ seconds, connections, rate }));
    }
  }
  for (const { stop } of loaders) stop();
  const of = (samples: readonly Sample[], key: keyof Sample) =>
    median(samples.map((sample) => sample[key]));
  const columns = ['', 'refreshes/s', 'p50', 'p99', 'p50 at 70 %', 'p99 at 70 %', '503'];
  const lines = [
    `| ${[...columns, 'API CPU ms', 'Postgres CPU ms', 'against the first'].join(' | ')} |`,
    '|---|---|---|---|---|---|---|---|---|---|',
  ];
  for (const [index, { name }] of sides.entries()) {
    const [all, slow] = [full[index]!, paced[index]!];
    const ratios = all.map(({ perSecond }, round) => perSecond / full[0]![round]!.perSecond);
    const figures = [
      of(all, 'perSecond').toFixed(0),
      of(all, 'p50').toFixed(1),
      of(all, 'p99').toFixed(1),
      of(slow, 'p50').toFixed(1),
      of(slow, 'p99').toFixed(1),
      [...all, ...slow].reduce((sum, sample) => sum + sample.unavailable, 0),
      of(all, 'apiMs').toFixed(3),
      of(all, 'postgresMs').toFixed(3),
      `${median(ratios).toFixed(2)}x`,
    ];
    lines.push(`| ${name} | ${figures.join(' | ')} |`);
  }
  return lines.join('\n');
}

async function compare(): Promise<void> {
  const sides: Side[] = [];
  try {
    const peer = await oidcProvider();
    if (peer === null) console.info('bench/peers is not installed (npm ci there): left out');
    else sides.push(peer);
    for (const alg of algorithms) {
      const env = { KEY_ALGORITHM: alg };
      if (flags.beside !== undefined) {
        sides.push(await latchkey(`before, ${alg}`, env, path.resolve(flags.beside)));
      }
      sides.push(await latchkey(`latchkey, ${alg}`, env));
    }
    const table = await measure(sides);
    const report = `# Refresh

\`${commandLine()}\` of ${new Date().toISOString().slice(0, 10)}, Node ${process.version},
${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), shared by one API process, its Postgres
and the load generator. ${rounds} rounds of ${seconds} s in turn; ${connections} connections,
${sessions} sessions. Medians of the rounds; latencies in milliseconds. Load when it began:
${loadBefore.toFixed(1)} processes on the machine (1-minute average).

${table}

CPU is process time by refreshes, signatures on the thread pool included.
`;
    console.info(report);
    const file = flags.beside === undefined ? 'refresh.md' : 'refresh-beside.md';
    writeFileSync(path.join(results, file), report);
  } finally {
    for (const { stop } of sides) await stop();
  }
}

/** What was typed; the place of another checkout is nobody's business. */
function commandLine(): string {
  const typed = process.argv.slice(2).map((word) => (word === flags.beside ? '<checkout>' : word));
  return ['npm run bench:refresh', ...(typed.length === 0 ? [] : ['--', ...typed])].join(' ');
}

/** The first algorithm alone, with V8's profiler in the API process, once it is warm. */
async function profile(): Promise<void> {
  process.env.API_NODE_OPTIONS = '--inspect=127.0.0.1:0';
  const side = await latchkey('', { KEY_ALGORITHM: algorithms[0]! });
  try {
    const { round, stop } = await loader(side);
    await round({ seconds: 2 * seconds, connections, rate: null });
    const endProfile = await startProfile(side.debuggerUrl());
    const { answers, apiMs } = await round({ seconds: 5 * seconds, connections, rate: null });
    const report = `# What a refresh spends its time on

\`npm run bench:refresh -- --profile --algorithms ${algorithms[0]}\`: ${answers} refreshes,
${apiMs.toFixed(3)} ms of processor time each in the API process, under V8's profiler. Shares are of
the main thread's time while it worked. What runs on the thread pool, as a signature by RSA does, is
not in it.

${profileDigest(await endProfile())}
`;
    stop();
    console.info(report);
    writeFileSync(path.join(results, 'refresh-profile.md'), report);
  } finally {
    await side.stop();
  }
}

await (flags.profile ? profile() : compare());
