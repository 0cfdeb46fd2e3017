import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { logIn } from '../src/app/session/log-in.ts';
import type { Node } from '../src/node/node.ts';
import { serviceUse } from '../src/node/node-memory.ts';
import { byPerson, loginOf, registerPerson, startBenchNode } from './support/bench-node.ts';
import { type BenchPostgres, median, startBenchPostgres } from './support/bench-postgres.ts';
import { benchCommand, today } from './support/report-head.ts';

// `npx node bench/session-keys.ts`: what a key of its own costs a session: a login with one
// (Ed25519) beside a login without (the issuer signs with Ed25519 too), with a hash that costs
// nothing and with the real one; and what the look-up of a key costs. Both sides log in one after
// the other, on nodes of one process and one database, so that a slow moment meets both.

const { values: flags } = parseArgs({
  options: {
    pairs: { type: 'string', default: '400' },
    'hashed-pairs': { type: 'string', default: '60' },
    write: { type: 'boolean', default: false },
  },
});
const pairs = Number(flags.pairs);
const hashedPairs = Number(flags['hashed-pairs']);
const issuer = { KEY_ALGORITHM: 'Ed25519', LOGIN_FLOOR_MS: '5' };
const session = { ...issuer, SIGNING_WEB: 'session' };
const sessionsLookedUp = 50;
let people = 0;

/** Registers somebody; answers how they log in. */
async function somebody(node: Node): Promise<() => ReturnType<typeof logIn>> {
  const index = people++;
  await registerPerson(node, index);
  const device = { type: 'web', name: 'bench' } as const;
  const input = { ...loginOf(index), device, deviceToken: null };
  return () => logIn(node, input, byPerson(index));
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

interface Times {
  readonly without: number[];
  readonly beside: number[];
}

/**
 * Milliseconds of logins in turn, each side with a user of its own: every login supersedes one.
 * Keys are made between two logins, as they are between two requests.
 */
async function logins(without: Node, beside: Node, count: number) {
  const sides = [await somebody(without), await somebody(beside)] as const;
  const none = (): Times => ({ without: [], beside: [] });
  const elapsed = none();
  const cpu = none();
  for (let round = -20; round < count; round++) {
    for (const side of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const name = side === 0 ? 'without' : 'beside';
      const before = process.cpuUsage();
      const ms = await timed(sides[side]);
      const { user, system } = process.cpuUsage(before);
      await beside.sessionKeys.pool.fill();
      if (round < 0) continue;
      elapsed[name].push(ms);
      cpu[name].push((user + system) / 1000);
    }
  }
  return { elapsed, cpu };
}

/** The median, and what nine of ten are slower than, which other work moves little. */
function rowsOf(name: string, { without, beside }: Times): string[] {
  const quantiles = [
    ['median', 0.5],
    ['fastest tenth', 0.1],
  ] as const;
  return quantiles.map(([label, quantile]) => {
    const [plain, own] = [at(without, quantile), at(beside, quantile)];
    const more = own - plain;
    const figures = [plain, own, more].map((value) => value.toFixed(2));
    const percent = `${((more / plain) * 100).toFixed(1)} %`;
    return `| ${name}, ${label} | ${figures.join(' | ')} | ${percent} |`;
  });
}

function at(values: readonly number[], quantile: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * quantile)] ?? Number.NaN;
}

interface Comparison {
  readonly rows: readonly string[];
  /** Logins that found no key made ahead. */
  readonly poolEmpty: number;
}

async function compare(
  { appUrl: databaseUrl }: BenchPostgres,
  name: string,
  { realHash, count }: { readonly realHash: boolean; readonly count: number },
): Promise<Comparison> {
  await using opened = new AsyncDisposableStack();
  const without = await startBenchNode(opened, { databaseUrl, realHash, env: issuer });
  const beside = await startBenchNode(opened, { databaseUrl, realHash, env: session });
  const { elapsed, cpu } = await logins(without.node, beside.node, count);
  return {
    rows: [...rowsOf(name, elapsed), ...rowsOf('… processor time of the process', cpu)],
    poolEmpty: beside.node.sessionKeys.counts.pool_empty,
  };
}

/** Microseconds and statements of the look-up of a key: cold, cached, and of kids made up. */
async function lookUps({ appUrl: databaseUrl }: BenchPostgres): Promise<string[]> {
  await using opened = new AsyncDisposableStack();
  const made = await startBenchNode(opened, { databaseUrl, env: session });
  const cold = await startBenchNode(opened, { databaseUrl, env: session });
  const { memory, sessionKeys } = cold.node;
  const statements = countQueries(cold.node);
  const tokens: string[] = [];
  for (let count = 0; count < sessionsLookedUp; count++) {
    const issued = await (await somebody(made.node))();
    tokens.push(issued.body.access_token);
  }
  const verify = async (token: string, accepted: boolean) => {
    await sessionKeys.lookup.awaitedBy(memory.verifyFor(token, serviceUse(undefined)));
    const { ok } = memory.verifyFor(token, serviceUse(undefined));
    if (ok !== accepted) throw new Error(`${ok ? 'accepted' : 'refused'}: ${token}`);
  };
  const each = async (name: string, list: readonly string[], accepted: boolean) => {
    const before = statements();
    const times: number[] = [];
    for (const token of list) times.push(await timed(() => verify(token, accepted)));
    const us = (median(times) * 1000).toFixed(0);
    return `| ${name} | ${list.length} | ${us} | ${statements() - before} |`;
  };
  return [
    await each('cold', tokens, true),
    await each('cached', tokens, true),
    await each('random kid', withRandomKids(tokens[0]!), false),
  ];
}

/** Counts what the readers are asked from now on. */
function countQueries(node: Node): () => number {
  const { readers } = node.cells.home;
  const { query } = readers;
  let count = 0;
  Object.assign(readers, {
    query: (statement: Parameters<typeof query>[0]) => {
      count += 1;
      return query(statement);
    },
  });
  return () => count;
}

function withRandomKids(token: string): string[] {
  const [, ...rest] = token.split('.');
  return Array.from({ length: 10_000 }, () => {
    const kid = `A${randomBytes(24).toString('base64url').slice(1)}`;
    const header = JSON.stringify({ alg: 'Ed25519', typ: 'at+jwt', kid });
    return [Buffer.from(header).toString('base64url'), ...rest].join('.');
  });
}

async function main(): Promise<void> {
  const loadBefore = loadavg()[0]!;
  await using opened = new AsyncDisposableStack();
  const postgres = opened.adopt(await startBenchPostgres(), (server) => server.remove());
  const free = { realHash: false, count: pairs };
  const real = { realHash: true, count: hashedPairs };
  const comparisons = [
    await compare(postgres, `hash excluded, ${pairs} pairs`, free),
    await compare(postgres, `real hash, ${hashedPairs} pairs`, real),
  ];
  const poolEmpty = comparisons.reduce((sum, comparison) => sum + comparison.poolEmpty, 0);
  const report = `# Session keys

\`${benchCommand('session-keys')}\` of ${today()}, Node ${process.version},
${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}). Load when it began:
${loadBefore.toFixed(1)} processes (1-minute average).

| login, ms | without | with a key | more | |
|---|---|---|---|---|
${comparisons.flatMap(({ rows }) => rows).join('\n')}

${poolEmpty} logins found no key made ahead.

| look-up | tokens | median µs | statements |
|---|---|---|---|
${(await lookUps(postgres)).join('\n')}
`;
  console.info(report);
  if (flags.write) {
    writeFileSync(path.join(import.meta.dirname, 'results', 'session-keys.md'), report);
  }
}

await main();
