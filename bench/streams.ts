import pg from 'pg';
import { appendBatch } from '../src/eventlog/append.ts';
import { readStream } from '../src/eventlog/read.ts';
import { testSeal } from '../test/support/seal.ts';
import {
  refreshSession,
  type SessionStep,
  startSession,
} from '../test/support/session-commands.ts';
import { median, ratio, startBenchPostgres } from './support/bench-postgres.ts';

// What must not grow: the read of a stream with the number of partitions, a refresh with its
// generation. Both sides of each ratio take turns in short rounds.

const rounds = 15;
const generations = 2_000;

/** Median microseconds of `calls` calls, one after the other. */
async function time(calls: number, call: (n: number) => Promise<unknown>): Promise<number> {
  const samples: number[] = [];
  for (let n = 0; n < calls; n += 1) {
    const begun = performance.now();
    await call(n);
    samples.push((performance.now() - begun) * 1000);
  }
  return median(samples);
}

function show(name: string, above: readonly number[], below: readonly number[]): void {
  const [high, low] = [median(above).toFixed(0), median(below).toFixed(0)];
  console.info(`| ${name} | ${high} | ${low} | ${ratio(above, below).toFixed(2)} | <= 1.1 |`);
}

/** A log whose session events span `partitions` partitions of 2,000 positions, half full. */
async function openLog(partitions: number) {
  const width = 2_000;
  const postgres = await startBenchPostgres();
  const client = new pg.Client({ connectionString: postgres.ownerUrl });
  await client.connect();
  await client.query('alter table latchkey.events detach partition latchkey.events_session');
  await client.query('drop table latchkey.events_session');
  await client.query('delete from latchkey.session_partitions');
  await client.query(
    'create table latchkey.events_session partition of latchkey.events for values in (2) partition by range (pos)',
  );
  // The partition of the head itself does not count as ahead.
  await client.query('select latchkey.ensure_session_partitions($1, $2)', [partitions - 1, width]);
  await client.query(
    `insert into latchkey.events (pos, kind, stream_id, version, type, schema_v, data, meta, recorded_at)
     select p * $1 + i, 2, gen_random_uuid(), 1, 'Filler', 1, '{}', '{}', now()
     from generate_series(0, $2 - 1) p, generate_series(1, 1000) i`,
    [width, partitions],
  );
  // Eight events each, begun in one partition and ended in the next, as a session of a week may be.
  const sessions: SessionStep[] = [];
  for (const start of [1_500, 3_500]) {
    await client.query("select setval('latchkey.event_pos', $1)", [start]);
    for (let n = 0; n < 50; n += 1) {
      const first = start === 1_500 ? startSession() : refreshSession(sessions[n]!);
      sessions[n] = first;
      await appendBatch(client, [first.command], { patient: false, seal: testSeal });
      for (let more = 0; more < 3; more += 1) {
        sessions[n] = refreshSession(sessions[n]!);
        await appendBatch(client, [sessions[n]!.command], { patient: false, seal: testSeal });
      }
    }
  }
  await client.query('analyze');
  const read = (n: number) => readStream(client, sessions[n % sessions.length]!.sessionId);
  const found = await read(0);
  if (found.length !== 8) throw new Error(`${found.length} events`);
  const close = async () => {
    await client.end();
    await postgres.remove();
  };
  return { read, client, close };
}

const few = await openLog(5);
const many = await openLog(50);
try {
  console.info('| median microseconds | large | small | ratio | target |\n|---|---|---|---|---|');
  const reads = { few: [] as number[], many: [] as number[] };
  await time(200, few.read);
  await time(200, many.read);
  for (let round = 0; round < rounds; round += 1) {
    reads.few.push(await time(100, few.read));
    reads.many.push(await time(100, many.read));
  }
  show('read a stream of 8 events, 50 partitions / 5', reads.many, reads.few);

  const { client } = few;
  await client.query("select setval('latchkey.event_pos', 9999)");
  await client.query('select latchkey.ensure_session_partitions(2, 1000000)');
  const append = (step: SessionStep) =>
    appendBatch(client, [step.command], { patient: false, seal: testSeal });
  let old = startSession();
  await append(old);
  for (let generation = 2; generation <= generations; generation += 1) {
    old = refreshSession(old);
    await append(old);
  }
  const refreshes = { old: [] as number[], young: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    const started = Array.from({ length: 60 }, () => startSession());
    for (const step of started) await append(step);
    refreshes.young.push(await time(60, (n) => append(refreshSession(started[n]!))));
    refreshes.old.push(
      await time(60, () => {
        old = refreshSession(old);
        return append(old);
      }),
    );
  }
  show('append a refresh, generation 2,000 / 1', refreshes.old, refreshes.young);
} finally {
  await few.close();
  await many.close();
}
