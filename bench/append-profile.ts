import { writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { appendBatch } from '../src/eventlog/append.ts';
import type { Command } from '../src/eventlog/command.ts';
import { newId } from '../src/platform/crypto/new-id.ts';
import { testSeal } from '../test/support/seal.ts';
import {
  refreshSession,
  type SessionStep,
  startSession,
} from '../test/support/session-commands.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';

// What Postgres does inside an append, statement by statement (pg_stat_statements, nested ones
// too). Its own bookkeeping costs each statement the same few microseconds: compare, do not add up.

const count = 3_000;

interface Statement {
  readonly query: string;
  readonly toplevel: boolean;
  readonly calls: number;
  readonly micros: number;
}

const postgres = await startBenchPostgres({
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.track': 'all',
  'pg_stat_statements.track_planning': 'on',
});
const owner = new pg.Client({ connectionString: postgres.ownerUrl });
const pool = new pg.Pool({ connectionString: postgres.appUrl, max: 2 });
pool.on('error', () => {});

async function appendAll(commands: readonly Command[]): Promise<void> {
  const append = (command: Command) =>
    appendBatch(pool, [command], { patient: false, seal: testSeal });
  await fromTwoCallers(commands, append);
}

async function insertBare(commands: readonly Command[]): Promise<void> {
  await fromTwoCallers(commands, ({ streams }) =>
    pool.query({
      name: 'bare',
      text: 'insert into latchkey_bench.bare (id, data) values ($1, $2)',
      values: [newId(), JSON.stringify(streams[0]!.events[0]!.data)],
    }),
  );
}

async function fromTwoCallers(
  commands: readonly Command[],
  send: (command: Command) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const caller = async () => {
    while (next < commands.length) await send(commands[next++]!);
  };
  await Promise.all([caller(), caller()]);
}

async function profileOf(work: () => Promise<void>): Promise<Statement[]> {
  await owner.query('select pg_stat_statements_reset()');
  await work();
  const { rows } = await owner.query<Statement>(
    `select regexp_replace(query, '\\s+', ' ', 'g') as query, toplevel, calls::int,
       (1000 * (total_exec_time + total_plan_time) / calls)::float as micros
     from pg_stat_statements where calls >= $1 and query !~ 'pg_stat_statements'
     order by toplevel desc, total_exec_time desc`,
    [count / 2],
  );
  return rows;
}

const perCommand = (list: readonly Statement[]) =>
  list.reduce((micros, each) => micros + (each.micros * each.calls) / count, 0);

function table(title: string, statements: readonly Statement[]): string {
  const whole = perCommand(statements.filter(({ toplevel }) => toplevel));
  const nested = statements.filter(({ toplevel }) => !toplevel);
  const line = (name: string, micros: number) =>
    `| ${name} | ${micros.toFixed(0)} | ${((100 * micros) / whole).toFixed(0)} % |`;
  const parts =
    nested.length === 0
      ? []
      : [
          ...nested.map((each) =>
            line(`\`${each.query.trim().slice(0, 80)}\``, perCommand([each])),
          ),
          line('PL/pgSQL, arguments, fence, start of statements', whole - perCommand(nested)),
        ];
  return [
    `## ${title}\n`,
    '| Part | µs | of the whole |\n|---|---|---|',
    line('the whole call, without its commit', whole),
    ...parts,
    '',
  ].join('\n');
}

try {
  await owner.connect();
  await owner.query(`create extension pg_stat_statements;
    create schema latchkey_bench;
    create table latchkey_bench.bare (id uuid primary key, data jsonb not null);
    grant usage on schema latchkey_bench to latchkey_app;
    grant insert on latchkey_bench.bare to latchkey_app`);
  const make = () => Array.from({ length: count }, () => startSession());
  const commandsOf = (steps: readonly SessionStep[]) => steps.map(({ command }) => command);
  await appendAll(commandsOf(make()));
  await insertBare(commandsOf(make()));
  const started = make();
  const login = await profileOf(() => appendAll(commandsOf(started)));
  const refresh = await profileOf(() => appendAll(started.map((s) => refreshSession(s).command)));
  const bare = await profileOf(() => insertBare(commandsOf(make())));
  const report = `# What an append spends its time on

\`npx node bench/append-profile.ts\`, Postgres ${postgres.version}, ${count} commands of each kind,
two callers, batches of one. Time in Postgres by statement, nested ones included; the commit, the
driver and the network are not in it.

${table('A session that starts', login)}
${table('A session that is refreshed', refresh)}
${table('The bare INSERT that `bench/append.ts` compares with', bare)}`;
  writeFileSync(path.resolve(import.meta.dirname, 'results/append-profile.md'), report);
  console.info(report);
} finally {
  await pool.end();
  await owner.end();
  await postgres.remove();
}
