import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { appendBatch, encodeBatch, parametersOfOne } from '../src/eventlog/append.ts';
import type { Command } from '../src/eventlog/command.ts';
import { Writer } from '../src/eventlog/writer.ts';
import { newId } from '../src/platform/crypto/new-id.ts';
import { createPools } from '../src/platform/postgres/pool.ts';
import { testSeal } from '../test/support/seal.ts';
import { startSession } from '../test/support/session-commands.ts';
import { type BenchPostgres, median, ratio, startBenchPostgres } from './support/bench-postgres.ts';

// Durable appends per second: one SessionStarted and its session row per command. The ways take
// turns in short rounds on one Postgres, so a slow moment of the machine meets all of them.

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1.5' },
  },
});
const rounds = Number(flags.rounds);
const roundMs = Number(flags.seconds) * 1000;
const callers = 32;

interface Way {
  readonly name: string;
  /** Appends per second in one round. */
  readonly round: () => Promise<number>;
  readonly end: () => Promise<void>;
}

/** Commands are made before the clock starts: only appending counts. A round ends early when they run out. */
async function keepAppending(append: (command: Command) => Promise<unknown>, lanes = callers) {
  const commands = Array.from({ length: Math.ceil(roundMs * 3) }, () => startSession().command);
  let next = 0;
  const begun = performance.now();
  const until = begun + roundMs;
  const caller = async () => {
    while (performance.now() < until && next < commands.length) await append(commands[next++]!);
  };
  await Promise.all(Array.from({ length: lanes }, caller));
  return (next * 1000) / (performance.now() - begun);
}

function groupCommit(postgres: BenchPostgres): Way & { readonly writer: Writer } {
  const pools = createPools({
    databaseUrl: postgres.appUrl,
    readers: 2,
    applicationName: 'bench',
    logger: { warn: () => {} },
  });
  const writer = new Writer({
    lanes: [pools.writers, pools.writers],
    readers: pools.readers,
    seal: testSeal,
  });
  return {
    name: 'a  Writer, group commit, 2 connections',
    writer,
    round: () => keepAppending((command) => writer.append(command)),
    end: () => pools.end(),
  };
}

function oneByOne(postgres: BenchPostgres, connections: number): Way {
  const pool = new pg.Pool({ connectionString: postgres.appUrl, max: connections });
  pool.on('error', () => {});
  return {
    name: `b  one round trip per append, ${connections} connections`,
    round: () =>
      keepAppending((command) => appendBatch(pool, [command], { patient: false, seal: testSeal })),
    end: () => pool.end(),
  };
}

/** The same arguments as (b), bound to a prepared statement, with a new session id each time. */
function pgbench(postgres: BenchPostgres): Way | null {
  if (spawnSync('pgbench', ['--version']).status !== 0) return null;
  const directory = mkdtempSync(path.join(tmpdir(), 'latchkey-pgbench-'));
  const file = path.join(directory, 'append.sql');
  const { command, sessionId } = startSession();
  const { parameters } = encodeBatch([command], testSeal);
  const types = 'uuid smallint uuid int bigint boolean text smallint jsonb bytea jsonb jsonb'.split(
    ' ',
  );
  const variables: string[] = [];
  const literals = parametersOfOne(parameters).map((value, index) => {
    const type = types[index]!;
    if (value === null) return `null::${type}`;
    const text = String(value);
    variables.push('-D', `p${index}=${text}`);
    if (!text.includes(sessionId)) return `:p${index}::${type}`;
    return `replace(:p${index}::text, '${sessionId}', i.id::text)::${type}`;
  });
  writeFileSync(
    file,
    `select a.* from (select uuidv7() as id) i, lateral latchkey.append_one(${literals.join(', ')}) a;\n`,
  );
  return {
    name: 'c  pgbench, the same function, 32 clients',
    round: async () => {
      const seconds = String(Math.max(1, Math.round(roundMs / 1000)));
      const options = ['-n', '-M', 'prepared', '-c', String(callers), '-j', '1', '-T', seconds];
      const run = spawnSync('pgbench', [...options, ...variables, '-f', file, postgres.appUrl], {
        encoding: 'utf8',
      });
      const tps = /tps = ([\d.]+)/.exec(run.stdout)?.[1];
      if (tps === undefined)
        throw new Error(
          `pgbench: ${run.status} ${run.signal} ${run.error} ${run.stdout} ${run.stderr}`,
        );
      return Number(tps);
    },
    end: async () => rmSync(directory, { recursive: true }),
  };
}

async function emmett(postgres: BenchPostgres): Promise<Way | null> {
  const peers = path.resolve(import.meta.dirname, 'peers/node_modules/@event-driven-io');
  if (!existsSync(peers)) return null;
  const { getPostgreSQLEventStore } = await import(`${peers}/emmett-postgresql/dist/index.js`);
  const { STREAM_DOES_NOT_EXIST } = await import(`${peers}/emmett/dist/index.js`);
  const pool = new pg.Pool({ connectionString: postgres.ownerUrl, max: callers });
  pool.on('error', () => {});
  const store = getPostgreSQLEventStore(postgres.ownerUrl, { connectionOptions: { pool } });
  await store.schema.migrate();
  return {
    name: 'd  emmett-postgresql 0.42.0, 32 connections',
    round: () =>
      keepAppending(async ({ commandId, meta, streams }) => {
        const { streamId, events } = streams[0]!;
        const { type, data, pii } = events[0]!;
        const message = {
          type,
          data: { ...data, pii: Buffer.from(pii!).toString('base64') },
          metadata: { ...meta, commandId },
        };
        await store.appendToStream(`session-${streamId}`, [message], {
          expectedStreamVersion: STREAM_DOES_NOT_EXIST,
        });
      }),
    end: async () => {
      await store.close();
      await pool.end();
    },
  };
}

/** p50 in milliseconds at two callers: the writer, and a bare INSERT of the same data in autocommit. */
async function latencies(postgres: BenchPostgres, writer: Writer) {
  const pool = new pg.Pool({ connectionString: postgres.ownerUrl, max: 2 });
  pool.on('error', () => {});
  await pool.query('create table bare (id uuid primary key, data jsonb not null)');
  const ways = {
    writer: (command: Command) => writer.append(command),
    bare: ({ streams }: Command) =>
      pool.query({
        name: 'bare',
        text: 'insert into bare (id, data) values ($1, $2)',
        values: [newId(), JSON.stringify(streams[0]!.events[0]!.data)],
      }),
  };
  const p50 = { writer: [] as number[], bare: [] as number[] };
  for (let round = -1; round < rounds * 2; round += 1) {
    for (const [name, append] of Object.entries(ways) as [keyof typeof ways, typeof ways.bare][]) {
      const samples: number[] = [];
      const commands = Array.from({ length: 600 }, () => startSession().command);
      const caller = async (from: number) => {
        for (const command of commands.slice(from, from + 300)) {
          const begun = performance.now();
          await append(command);
          samples.push(performance.now() - begun);
        }
      };
      await Promise.all([caller(0), caller(300)]);
      if (round >= 0) p50[name].push(median(samples));
    }
  }
  await pool.end();
  return p50;
}

function report(perSecond: ReadonlyMap<Way, number[]>, p50: Record<'writer' | 'bare', number[]>) {
  const row = (name: string, rate: readonly number[]) => {
    const figures = [median(rate), Math.min(...rate), Math.max(...rate)].map(Math.round);
    console.info(`| ${name} | ${figures.join(' | ')} |`);
  };
  console.info(`\n| appends per second, ${callers} callers | median | least | most |`);
  console.info('|---|---|---|---|');
  for (const [way, rates] of perSecond) row(way.name, rates);
  const find = (prefix: string) => [...perSecond].filter(([way]) => way.name.startsWith(prefix));
  const a = find('a')[0]![1];
  const b = find('b').toSorted((x, y) => median(y[1]) - median(x[1]))[0]!;
  console.info('\n| ratio (median of rounds) | measured | target |\n|---|---|---|');
  const line = (name: string, value: number, target: string) =>
    console.info(`| ${name} | ${value.toFixed(2)} | ${target} |`);
  line(`group commit / ${b[0].name.slice(3)}`, ratio(a, b[1]), '>= 2');
  for (const [, c] of find('c'))
    line('one round trip per append / pgbench', ratio(b[1], c), '>= 0.7');
  for (const [, d] of find('d')) line('group commit / emmett', ratio(a, d), '>= 3');
  line('p50 at 2 callers, writer / bare INSERT', ratio(p50.writer, p50.bare), '<= 2');
  const [writer, bare] = [median(p50.writer), median(p50.bare)];
  console.info(
    `\np50 at 2 callers: writer ${writer.toFixed(2)} ms, bare INSERT ${bare.toFixed(2)} ms`,
  );
}

const postgres = await startBenchPostgres();
try {
  const grouped = groupCommit(postgres);
  const others = [oneByOne(postgres, 32), oneByOne(postgres, 2), pgbench(postgres)];
  const peer = await emmett(postgres);
  const ways = [grouped, ...others, peer].filter((way) => way !== null);
  if (others.includes(null)) console.info('pgbench is not on PATH: left out');
  if (peer === null) console.info('bench/peers is not installed (npm ci there): left out');
  const perSecond = new Map<Way, number[]>(ways.map((way) => [way, []]));
  for (const way of ways) await way.round();
  for (let round = 0; round < rounds; round += 1) {
    for (const way of ways) perSecond.get(way)!.push(await way.round());
  }
  const p50 = await latencies(postgres, grouped.writer);
  console.info(`Postgres ${postgres.version}, ${rounds} interleaved rounds of ${roundMs} ms`);
  report(perSecond, p50);
  for (const way of ways) await way.end();
} catch (error) {
  // The pools would drown it when their server goes away.
  console.error(error);
  process.exitCode = 1;
  process.on('uncaughtException', () => {});
} finally {
  await postgres.remove();
}
