import { importsOf, nodesOf, resolved, type SourceFile } from './source-files.ts';

/** What each folder of src may import, besides itself. `types`: only types of it. */
const directions: Record<string, { values: readonly string[]; types: readonly string[] }> = {
  domain: { values: [], types: [] },
  eventlog: { values: ['domain', 'platform'], types: [] },
  projections: { values: ['domain', 'eventlog'], types: [] },
  verifier: { values: [], types: ['domain'] },
  platform: { values: ['domain/kernel'], types: [] },
  api: { values: ['domain', 'eventlog', 'projections', 'verifier', 'platform'], types: [] },
  worker: { values: ['domain', 'eventlog', 'projections', 'platform'], types: [] },
  cli: {
    values: ['domain', 'eventlog', 'projections', 'verifier', 'platform', 'api', 'worker'],
    types: [],
  },
};

const deterministicCrypto = ['createHash', 'createHmac', 'hkdfSync', 'timingSafeEqual'];
const impureNames = [
  ...['Date', 'process', 'console', 'performance', 'setTimeout', 'setInterval', 'setImmediate'],
  ...['fetch', 'globalThis'],
];

/** The folder of src that a file stands in. */
export function layerOf(path: string): string {
  return path.split('/')[1] ?? '';
}

/** Imports that go against the house plan. */
export function wrongDirections(file: SourceFile): string[] {
  const layer = layerOf(file.path);
  const allowed = directions[layer];
  if (allowed === undefined) return [`${file.path} stands in no folder of the house plan`];
  return importsOf(file).flatMap(({ from, typeOnly }) => {
    const target = resolved(file.path, from);
    if (target === null || target.startsWith(`src/${layer}/`)) return [];
    const folders = typeOnly ? [...allowed.values, ...allowed.types] : allowed.values;
    const fits = folders.some((folder) => target.startsWith(`src/${folder}/`));
    return fits ? [] : [`${file.path} imports ${target}`];
  });
}

/** What a pure and synchronous file must not use. */
export function impurities(file: SourceFile): string[] {
  const found: string[] = [];
  for (const node of nodesOf(file)) {
    if (node.type === 'AwaitExpression' || node.async === true) found.push('async');
    if (node.type === 'Identifier' && impureNames.includes(node.name as string)) {
      found.push(node.name as string);
    }
    const object = node.object as { name?: string } | undefined;
    const property = node.property as { name?: string } | undefined;
    if (object?.name === 'Math' && property?.name === 'random') found.push('Math.random');
  }
  const crypto = importsOf(file).filter(({ from }) => from === 'node:crypto');
  const random = crypto.flatMap(({ names }) => names.filter((name) => !allowedCrypto(name)));
  return [...found, ...random].map((name) => `${file.path} uses ${name}`);
}

function allowedCrypto(name: string): boolean {
  return deterministicCrypto.includes(name);
}

/** Groups of files that import each other in a ring, each sorted. */
export function cycles(files: readonly SourceFile[]): string[][] {
  const edges = new Map(
    files.map((file) => [
      file.path,
      importsOf(file).flatMap(({ from }) => resolved(file.path, from) ?? []),
    ]),
  );
  const reachable = (start: string): Set<string> => {
    const seen = new Set<string>();
    const pending = [...(edges.get(start) ?? [])];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      pending.push(...(edges.get(next) ?? []));
    }
    return seen;
  };
  const reach = new Map([...edges.keys()].map((path) => [path, reachable(path)]));
  const rings = new Map<string, string[]>();
  for (const [path, from] of reach) {
    if (!from.has(path)) continue;
    const ring = [...from].filter((other) => reach.get(other)?.has(path)).sort();
    rings.set(ring.join(), ring);
  }
  return [...rings.values()];
}

export function setsTimers(file: SourceFile): boolean {
  return (
    importsOf(file).some(({ from }) => from.endsWith('timers/promises')) ||
    nodesOf(file).some(({ type, name }) => type === 'Identifier' && name === 'setTimeout')
  );
}
