import { randomBytes } from 'node:crypto';
import os from 'node:os';
import { pino } from 'pino';
import { startApi } from '../src/api/serve.ts';
import type { By } from '../src/app/by.ts';
import { type LogInInput, logIn } from '../src/app/session/log-in.ts';
import { registerUser } from '../src/app/user/register-user.ts';
import { loadConfig } from '../src/node/config.ts';
import type { Node } from '../src/node/node.ts';
import { serviceUse } from '../src/node/node-memory.ts';
import { drawSlot, newId } from '../src/platform/crypto/new-id.ts';
import { type BenchPostgres, median, startBenchPostgres } from './support/bench-postgres.ts';

// What a key of its own costs a session: a login with one (Ed25519) beside a login without (the
// issuer signs with Ed25519 too), with a hash that costs nothing and with the real one; and what
// the look-up of a key costs. Both sides log in one after the other, on nodes of one process and
// one database, so that a slow moment meets both.

const password = 'a long and ordinary sentence';
const [rounds = 400, hashedRounds = 60] = process.argv.slice(2).map(Number);
const kek = `bench:${randomBytes(32).toString('base64url')}`;

function startNode(postgres: BenchPostgres, env: Record<string, string>) {
  return startApi({
    config: loadConfig({
      ...{ PORT: '0', METRICS_PORT: '0', ISSUER: 'http://bench.test', KEK: kek },
      ...{ KEY_ALGORITHM: 'Ed25519', LOGIN_FLOOR_MS: '5', RATE_LIMITS: 'off', LOG_LEVEL: 'fatal' },
      ...env,
    }),
    databaseUrl: postgres.appUrl,
    log: pino({ level: 'silent' }),
  });
}

const by: By = {
  actor: { type: 'anonymous', id: null },
  ...{ requestId: 'bench', correlationId: 'bench', address: '192.0.2.1', userAgent: 'bench' },
};

function inputFor(email: string): LogInInput {
  return {
    ...{ email, password, transport: 'body', clientId: null, clientSecret: null, audience: null },
    ...{ device: { type: 'web', name: 'bench' }, deviceToken: null },
    key: null,
    payTry: async () => {},
  };
}

async function user(node: Node): Promise<string> {
  const email = `${randomBytes(8).toString('hex')}@example.com`;
  const fields = { email, password, roles: [], emailVerified: true };
  await registerUser(node, { ...fields, userId: newId(drawSlot()) }, by);
  return email;
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
  const [a, b] = [await user(without), await user(beside)];
  const none = (): Times => ({ without: [], beside: [] });
  const sides = { ...none(), cpu: none() };
  for (let round = -20; round < count; round++) {
    const pair = [
      () => timed(() => logIn(without, inputFor(a), by)),
      () => timed(() => logIn(beside, inputFor(b), by)),
    ];
    const turned = round % 2 === 0 ? [0, 1] : [1, 0];
    const times = [0, 0];
    const cpu = [0, 0];
    for (const side of turned) {
      const before = process.cpuUsage();
      times[side] = await pair[side]!();
      const { user, system } = process.cpuUsage(before);
      cpu[side] = (user + system) / 1000;
      await beside.sessionKeys.pool.fill();
    }
    if (round < 0) continue;
    sides.without.push(times[0]!);
    sides.beside.push(times[1]!);
    sides.cpu.without.push(cpu[0]!);
    sides.cpu.beside.push(cpu[1]!);
  }
  return sides;
}

/** The median, and what nine of ten are slower than, which other work moves little. */
function show(name: string, { without, beside }: Times): void {
  for (const [label, quantile] of [
    ['median', 0.5],
    ['fastest tenth', 0.1],
  ] as const) {
    const [plain, own] = [at(without, quantile), at(beside, quantile)];
    const more = own - plain;
    const figures = [plain, own, more].map((value) => value.toFixed(2));
    const percent = `${((more / plain) * 100).toFixed(1)} %`;
    console.info(`| ${name}, ${label} | ${figures.join(' | ')} | ${percent} |`);
  }
}

function at(values: readonly number[], quantile: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * quantile)] ?? Number.NaN;
}

async function compare(postgres: BenchPostgres, name: string, memoryKib: string, count: number) {
  const env = { PASSWORD_HASH_MEMORY_KIB: memoryKib };
  const without = await startNode(postgres, env);
  const beside = await startNode(postgres, { ...env, SIGNING_WEB: 'session' });
  const sides = await logins(without.node, beside.node, count);
  show(name, sides);
  show(`… processor time of the process`, sides.cpu);
  const empty = beside.node.sessionKeys.counts.pool_empty;
  if (empty > 0) console.info(`(${empty} logins found no key made ahead)`);
  await without.stop();
  await beside.stop();
}

/** Milliseconds and statements of the look-up of a key: cold, cached, and of kids made up. */
async function lookUps(postgres: BenchPostgres) {
  const env = { PASSWORD_HASH_MEMORY_KIB: '8', SIGNING_WEB: 'session' };
  const made = await startNode(postgres, env);
  const cold = await startNode(postgres, env);
  const { memory, sessionKeys } = cold.node;
  const tokens: string[] = [];
  for (let count = 0; count < 50; count++) {
    const issued = await logIn(made.node, inputFor(await user(made.node)), by);
    tokens.push(issued.body.access_token);
  }
  const { readers } = cold.node.cells.home;
  const { query } = readers;
  let statements = 0;
  Object.assign(readers, {
    query: (statement: Parameters<typeof query>[0]) => {
      statements += 1;
      return query(statement);
    },
  });
  const verify = async (token: string) => {
    await sessionKeys.lookup.awaitedBy(memory.verifyFor(token, serviceUse(undefined)));
    return memory.verifyFor(token, serviceUse(undefined));
  };
  const each = async (name: string, list: readonly string[], accepted: boolean) => {
    statements = 0;
    const times: number[] = [];
    for (const token of list) {
      times.push(
        await timed(async () => {
          const { ok } = await verify(token);
          if (ok !== accepted) throw new Error(`${name}: ${ok}`);
        }),
      );
    }
    const us = (median(times) * 1000).toFixed(0);
    console.info(`| ${name} | ${list.length} | ${us} | ${statements} |`);
  };
  console.info('\n| look-up | tokens | median µs | statements |\n|---|---|---|---|');
  await each('cold', tokens, true);
  await each('cached', tokens, true);
  const [, ...rest] = tokens[0]!.split('.');
  const random = Array.from({ length: 10_000 }, () => {
    const kid = `A${randomBytes(24).toString('base64url').slice(1)}`;
    const header = JSON.stringify({ alg: 'Ed25519', typ: 'at+jwt', kid });
    return [Buffer.from(header).toString('base64url'), ...rest].join('.');
  });
  await each('random kid', random, false);
  await made.stop();
  await cold.stop();
}

const postgres = await startBenchPostgres();
try {
  console.info(`${os.cpus()[0]?.model}, load ${os.loadavg()[0]!.toFixed(1)}\n`);
  console.info('| login, ms | without | with a key | more | |\n|---|---|---|---|---|');
  await compare(postgres, `hash excluded, ${rounds} pairs`, '8', rounds);
  await compare(postgres, `real hash, ${hashedRounds} pairs`, '47104', hashedRounds);
  await lookUps(postgres);
} finally {
  await postgres.remove();
}
