import { importsOf, nodesOf, resolved, type SourceFile } from './source-files.ts';

/** The rooms of the house, and what each may import besides itself. The first that fits counts. */
const rooms: readonly (readonly [room: string, ...mayImport: string[]])[] = [
  ['packages/contract/src'],
  ['packages/verifier/src', 'packages/contract/src'],
  ['src/domain/kernel', 'packages/contract/src'],
  ['src/domain', 'packages/contract/src'],
  ['src/platform', 'packages/contract/src', 'src/domain/kernel'],
  ['src/eventlog', 'src/domain', 'src/platform'],
  ['src/tables', 'packages', 'src/domain', 'src/platform', 'src/eventlog'],
  ['src/rebuild', 'packages', 'src/domain', 'src/platform', 'src/eventlog', 'src/tables'],
  ['src/node', 'packages', 'src/domain', 'src/platform', 'src/eventlog', 'src/tables'],
  ['src/app', 'packages', 'src/domain', 'src/platform', 'src/eventlog', 'src/tables', 'src/node'],
  ['src/consumers', ...belowUseCases()],
  ['src/api/http', 'packages/contract/src', 'src/domain/kernel', 'src/platform'],
  ['src/api/pages', 'src/domain/kernel', 'src/platform', 'src/api/http'],
  ['src/api/lanes', ...belowRoutes(), 'src/api/http'],
  ['src/api/routes', ...belowRoutes(), 'src/api/http', 'src/api/lanes'],
  ['src/api', ...belowRoutes()],
  ['src/worker', ...belowRoutes(), 'src/rebuild', 'src/consumers'],
  ['src/cli', 'packages', 'src'],
];

function belowUseCases(): string[] {
  return [
    'packages',
    ...['domain', 'platform', 'eventlog', 'tables', 'node'].map((name) => `src/${name}`),
  ];
}

function belowRoutes(): string[] {
  return [...belowUseCases(), 'src/app'];
}

const deterministicCrypto = [
  ...['createHash', 'createHmac', 'createSecretKey', 'hash', 'hkdfSync', 'KeyObject'],
  ...['timingSafeEqual'],
];
const impureNames = [
  ...['Date', 'process', 'console', 'performance', 'setTimeout', 'setInterval', 'setImmediate'],
  ...['fetch', 'globalThis'],
];

/** The room that a file stands in. */
export function roomOf(path: string): string | undefined {
  return rooms.find(([room]) => path.startsWith(`${room}/`))?.[0];
}

/** Imports that go against the house plan, those of types included. */
export function wrongDirections(file: SourceFile): string[] {
  const plan = rooms.find(([room]) => file.path.startsWith(`${room}/`));
  if (plan === undefined) return [`${file.path} stands in no room of the house plan`];
  return importsOf(file).flatMap(({ from }) => {
    const target = resolved(file.path, from);
    if (target === null) return [];
    return plan.some((folder) => target.startsWith(`${folder}/`))
      ? []
      : [`${file.path} imports ${target}`];
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

/**
 * `<file> <name>` of each function, class and constant that `files` export and no file of
 * `importers` imports. Types are left out: they belong to what uses them in its signature.
 */
export function unusedExports(
  files: readonly SourceFile[],
  importers: readonly SourceFile[],
): string[] {
  const used = new Set<string>();
  // An import() at run time may take any export.
  const wholly = new Set<string | null>();
  for (const file of importers) {
    for (const { from, names, isDynamic } of importsOf(file)) {
      const target = resolved(file.path, from);
      if (isDynamic) wholly.add(target);
      for (const name of names) used.add(`${target} ${name}`);
    }
  }
  return files
    .filter(({ path }) => !wholly.has(path))
    .flatMap((file) => exportedValues(file).map((name) => `${file.path} ${name}`))
    .filter((exported) => !used.has(exported))
    .sort();
}

interface Named {
  readonly id: { readonly name: string };
}

function exportedValues(file: SourceFile): string[] {
  return nodesOf(file).flatMap(({ type, declaration }) => {
    if (type !== 'ExportNamedDeclaration' || declaration == null) return [];
    const declared = declaration as Named & { type: string; declarations?: readonly Named[] };
    if (declared.type.startsWith('TS')) return [];
    return (declared.declarations ?? [declared]).map(({ id }) => id.name);
  });
}

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

interface Property {
  readonly key?: { readonly name?: string };
  readonly value?: Fields;
}

interface Fields {
  readonly type?: string;
  readonly properties?: readonly Property[];
}

/** Names of fields in log lines that are not snake_case, those of objects inside included. */
export function oddLogFields(file: SourceFile): string[] {
  return nodesOf(file).flatMap((node) => {
    const callee = node.callee as { object?: object; property?: { name?: string } } | undefined;
    if (node.type !== 'CallExpression' || !levels.includes(callee?.property?.name ?? '')) return [];
    const [fields] = node.arguments as readonly Fields[];
    return namesOf(fields)
      .filter((name) => !/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name))
      .map((name) => `${file.path} logs ${name}`);
  });
}

function namesOf(fields: Fields | undefined): string[] {
  return (fields?.properties ?? []).flatMap(({ key, value }) => [
    ...(key?.name === undefined ? [] : [key.name]),
    ...(value?.type === 'ObjectExpression' ? namesOf(value) : []),
  ]);
}
