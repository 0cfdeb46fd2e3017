import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { streamKinds } from '../../src/domain/kernel/event.ts';
import { readStream, tailSql } from '../../src/eventlog/read.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { refreshSession, type SessionStep, startSession } from '../support/session-commands.ts';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Loops'?: number;
  readonly 'Actual Rows'?: number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

const width = 2000;
const partitions = 50;
const filled = 1000;

let log: TestLog;
let reader: pg.Client;
let narrow: SessionStep;
let wide: SessionStep;

beforeAll(async () => {
  log = await openTestLog();
  await log.owner.query('delete from latchkey.session_partitions');
  await log.owner.query('alter table latchkey.events_session rename to replaced');
  await log.owner.query('alter table latchkey.events detach partition latchkey.replaced');
  await log.owner.query('drop table latchkey.replaced');
  await log.owner.query(
    'create table latchkey.events_session partition of latchkey.events for values in (2) partition by range (pos)',
  );
  await log.owner.query('select latchkey.ensure_session_partitions($1, $2)', [partitions, width]);
  await fill();
  for (const n of [0, 2, 4]) {
    await moveSequence(n);
    wide = n === 0 ? startSession() : refreshSession(wide);
    await log.writer.append(wide.command);
  }
  // From one end of its partition to the other.
  await log.owner.query("select setval('latchkey.event_pos', $1)", [30 * width - 1]);
  narrow = startSession();
  await log.writer.append(narrow.command);
  await moveSequence(30);
  narrow = refreshSession(narrow);
  await log.writer.append(narrow.command);
  await log.owner.query('analyze latchkey.events');
  reader = new pg.Client({ connectionString: log.database.appUrl });
  await reader.connect();
}, 60_000);
afterAll(async () => {
  await reader.end();
  await log.close();
});

/** As many events as make an index worth its while, the other kinds in between; their streams are nobody's. */
async function fill(): Promise<void> {
  await log.owner.query(
    `insert into latchkey.events
       (pos, kind, stream_id, version, type, schema_v, data, meta, recorded_at)
     select p * $1 + i, ($4::int[])[i % cardinality($4::int[]) + 1], gen_random_uuid(), 1, 'Filler', 1,
       jsonb_build_object('text', t.text), '{}', now()
     from generate_series(0, $2 - 1) p, generate_series(1, $3) i,
       (select string_agg(md5(n::text), '') as text from generate_series(1, 20) n) t`,
    [width, partitions, filled, [2, 2, 2, ...Object.values(streamKinds)]],
  );
}

async function moveSequence(partition: number): Promise<void> {
  await log.owner.query("select setval('latchkey.event_pos', $1)", [
    partition * width + filled + 100,
  ]);
}

/** The plan as the service gets it: a prepared statement, generic or made for the values. */
async function plan(sql: string, values: unknown[], mode: string) {
  await reader.query(`set plan_cache_mode = ${mode}`);
  await reader.query(`prepare tail (bigint, bigint, integer) as ${sql}`);
  const list = values.map((value) => reader.escapeLiteral(String(value))).join(', ');
  const { rows } = await reader.query(`explain (analyze, format json) execute tail (${list})`);
  await reader.query(`deallocate tail`);
  return rows[0]['QUERY PLAN'][0].Plan as PlanNode;
}

/** The plan of the read inside the function, as the server logs it. */
async function planOfRead(streamId: string): Promise<PlanNode> {
  const logged: string[] = [];
  const keep = (notice: { message?: string | undefined }) => logged.push(notice.message ?? '');
  await log.owner.query("load 'auto_explain'");
  await log.owner.query(`set auto_explain.log_min_duration = 0; set auto_explain.log_analyze = on;
    set auto_explain.log_nested_statements = on; set auto_explain.log_format = json;
    set client_min_messages = log`);
  log.owner.on('notice', keep);
  expect(await readStream(log.owner, streamId)).not.toEqual([]);
  log.owner.off('notice', keep);
  await log.owner.query('set auto_explain.log_min_duration = -1');
  const plans = logged.map((text) => JSON.parse(text.slice(text.indexOf('{'))));
  return plans.find((each) => /latchkey\.events e/.test(each['Query Text'])).Plan as PlanNode;
}

function* nodes(node: PlanNode): Generator<PlanNode> {
  yield node;
  for (const child of node.Plans ?? []) yield* nodes(child);
}

/** By index, in order: what is sorted at all is never more than a handful. */
function expectIndexesOnly(root: PlanNode): void {
  const types = [...nodes(root)].map((node) => node['Node Type']);
  expect(types.filter((type) => /Seq Scan|Hash|Materialize/.test(type))).toEqual([]);
  // Nothing to read at all is known from the bounds alone.
  if (!types.includes('Result')) expect(types.join()).toMatch(/Index Scan/);
  for (const node of nodes(root)) {
    if (/Sort/.test(node['Node Type'])) expect(node['Actual Rows']).toBeLessThanOrEqual(5);
    expect(node['Rows Removed by Filter'] ?? 0).toBeLessThanOrEqual(5);
  }
}

const scanned = (root: PlanNode) =>
  [...nodes(root)].filter(
    (node) => node['Relation Name'] !== undefined && node['Actual Loops']! > 0,
  );

describe('with 50 partitions', () => {
  test('the read of a stream in one partition scans one partition, by index', async () => {
    const root = await planOfRead(narrow.sessionId);
    expectIndexesOnly(root);
    const names = scanned(root).map((node) => node['Relation Name']);
    expect(names).toEqual(['events_session_000000060000']);
  });

  test('the read of a stream that crosses partitions leaves out those before and after', async () => {
    const root = await planOfRead(wide.sessionId);
    expectIndexesOnly(root);
    const planned = [...nodes(root)].filter((node) => node['Relation Name'] !== undefined);
    expect(planned.length).toBeLessThanOrEqual(5);
  });
});

for (const mode of ['force_generic_plan', 'force_custom_plan', 'auto']) {
  describe(`with 50 partitions and plan_cache_mode ${mode}`, () => {
    const head = (partitions - 1) * width + filled;
    for (const [regime, after, upTo, limit, most] of [
      ['caught up', head, head, 500, 5],
      ['just behind', head - 3, head, 500, 5],
      ['a deep backlog', 25 * width, head, 100, 30],
      ['a replay from the beginning', 0, head, 100, 54],
    ] as const) {
      test(`the tail, ${regime}, reads indexes in order and skips settled partitions`, async () => {
        const root = await plan(tailSql, [after, upTo, limit], mode);
        expectIndexesOnly(root);
        expect(scanned(root).length).toBeLessThanOrEqual(most);
      });
    }
  });
}
