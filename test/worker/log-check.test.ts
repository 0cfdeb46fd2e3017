import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkNewEvents } from '../../src/eventlog/log-check.ts';
import { checkWholeLog } from '../../src/eventlog/whole-log-check.ts';
import { checkLog, checkLogWhole } from '../../src/worker/jobs/check-log.ts';
import { createJobWorld, type JobWorld, minuteMs } from './job-world.ts';

const startedAt = Date.parse('2026-01-05T10:00:00Z');

describe('the check of the log', () => {
  let world: JobWorld;
  let session: string;
  beforeEach(async () => {
    world = await createJobWorld();
    session = await world.startSession(startedAt);
    await refresh(1, 3);
    await world.startSession(startedAt);
  });
  afterEach(() => world.close());

  async function refresh(from: number, until: number): Promise<void> {
    for (let generation = from; generation <= until; generation += 1) {
      await world.refreshSession(session, generation, startedAt + generation * minuteMs);
    }
  }
  const checkNew = (options = {}) => world.pools.readers.use((c) => checkNewEvents(c, options));
  const checkWhole = (options = {}) => world.pools.readers.use((c) => checkWholeLog(c, options));

  /** Past every trigger, as only an owner with bad intentions or a broken disk can. */
  async function damage(sql: string): Promise<void> {
    await world.owner.query('set session_replication_role = replica');
    const { rowCount } = await world.owner.query(sql, [session]);
    expect(rowCount).toBe(1);
    await world.owner.query('set session_replication_role = origin');
  }
  const copyOfVersion = (version: number, as: number) => `insert into latchkey.events
    (kind, stream_id, version, type, schema_v, data, pii, subject_id, meta, recorded_at)
    select kind, stream_id, ${as}, type, schema_v, data, pii, subject_id, meta, recorded_at
    from latchkey.events where stream_id = $1 and version = ${version}`;

  it('finds nothing in a sound log, and looks at each event once', async () => {
    expect(await checkNew()).toStrictEqual({ checked: 5, count: 0, findings: [] });
    await refresh(4, 5);
    expect(await checkNew()).toStrictEqual({ checked: 2, count: 0, findings: [] });
    expect(await checkWhole()).toStrictEqual({
      checked: 7,
      count: 0,
      countInRound: 0,
      findings: [],
      complete: true,
    });
  });

  it('follows a stream from one batch to the next', async () => {
    await refresh(4, 6);
    expect(await checkNew({ batchSize: 2 })).toMatchObject({ checked: 8, count: 0 });
    expect(await checkWhole({ batchSize: 1 })).toMatchObject({ checked: 8, count: 0 });
  });

  it('goes on next time where its batches ended', async () => {
    expect(await checkNew({ batchSize: 2, batchesMax: 1 })).toMatchObject({ checked: 2 });
    expect(await checkNew({ batchSize: 2, batchesMax: 2 })).toMatchObject({ checked: 3 });
  });

  // Fails when a checkpoint of one log, or of an earlier epoch, counts in another.
  it.each(['log_id', 'log_epoch'])('begins anew under another %s', async (column) => {
    await checkNew();
    await world.owner.query(`update latchkey.log_meta set ${column} = gen_random_uuid()`);
    expect(await checkNew()).toMatchObject({ checked: 5 });
    expect(await checkNew()).toMatchObject({ checked: 0 });
  });

  // Fails when the check reads up to the newest event instead of the newest settled one: what commits late, at a lower
  // position, would never be looked at.
  it('moves past nothing that may still commit', async () => {
    await world.owner.query('begin');
    await world.owner.query('select latchkey.hold_fence()');
    await refresh(4, 4);
    expect(await checkNew({ settleMs: 50 })).toMatchObject({ checked: 0 });
    await world.owner.query('commit');
    expect(await checkNew()).toMatchObject({ checked: 6 });
  });

  // Fails when the versions of a stream are not compared with those before them.
  it('finds a version that is there twice, again and again', async () => {
    await checkNew();
    await damage(copyOfVersion(3, 3));
    const finding = { problem: 'duplicate', stream_id: session, version: 3 };
    for (const check of [await checkNew(), await checkNew(), await checkWhole()]) {
      expect(check.findings).toContainEqual(expect.objectContaining({ stream_id: session }));
      expect(check.count).toBeGreaterThan(0);
    }
    expect((await checkNew()).findings).toContainEqual(expect.objectContaining(finding));
  });

  it('finds a version that was left out', async () => {
    await checkNew();
    await damage(copyOfVersion(4, 6));
    expect((await checkNew()).findings).toContainEqual(
      expect.objectContaining({ problem: 'gap', stream_id: session, version: 6 }),
    );
  });

  it('finds an event that was deleted, before and after it has passed it', async () => {
    await damage('delete from latchkey.events where stream_id = $1 and version = 2');
    const gap = expect.objectContaining({ problem: 'gap', stream_id: session, version: 3 });
    expect((await checkNew()).findings).toStrictEqual([gap]);
    expect((await checkWhole()).findings).toStrictEqual([gap]);
  });

  it('finds, in the whole log, a last event that was deleted', async () => {
    await checkNew();
    await damage('delete from latchkey.events where stream_id = $1 and version = 4');
    expect(await checkNew()).toMatchObject({ count: 0 });
    expect((await checkWhole()).findings).toMatchObject([{ problem: 'head', stream_id: session }]);
  });

  it('finds a stream whose version is not that of its events', async () => {
    await damage('update latchkey.streams set version = 9 where stream_id = $1');
    const head = [{ problem: 'head', stream_id: session, version: 4 }];
    expect((await checkNew()).findings).toMatchObject(head);
    expect((await checkWhole()).findings).toMatchObject(head);
  });

  it('finds events that no stream claims', async () => {
    await damage('delete from latchkey.streams where stream_id = $1');
    expect(await checkNew()).toMatchObject({ count: 1, findings: [{ problem: 'orphan' }] });
    expect(await checkWhole()).toMatchObject({ count: 4 });
  });

  // Fails when a check starts from the beginning each time, or calls its end of time a finding.
  it('F5: of the whole log goes on where its time ended, to the end of the round', async () => {
    await damage('delete from latchkey.streams where stream_id = $1');
    const calls = [];
    do {
      let batches = 0;
      const signal = {
        get aborted() {
          return batches++ > 0;
        },
      } as AbortSignal;
      calls.push(await checkWhole({ batchSize: 1, signal }));
    } while (calls.at(-1)!.complete === false && calls.length < 50);

    expect(calls.length).toBeGreaterThan(5);
    expect(calls.reduce((sum, { checked }) => sum + checked, 0)).toBe(5);
    expect(calls.at(-1)).toMatchObject({ complete: true, countInRound: 4 });
    expect(await checkWhole()).toMatchObject({ checked: 5, complete: true, countInRound: 4 });
  });

  it('F5: that runs out of time warns, and fails only for damage', async () => {
    const warnings: object[] = [];
    const context = world.context(startedAt);
    const log = { ...context.log, warn: (fields: object) => warnings.push(fields) };
    await checkLogWhole.run({ ...context, log, signal: AbortSignal.abort() });
    expect(warnings).toStrictEqual([{ checked: 0 }]);
    await checkLogWhole.run({ ...context, log });
    expect(warnings).toHaveLength(1);
    expect((await context.metrics.wholeLogChecked.get()).values[0]!.value).toBeGreaterThan(0);
  });

  // Fails when the job swallows what the check found.
  it('makes the job fail, log what is wrong and count it', async () => {
    await damage(copyOfVersion(4, 4));
    const errors: object[] = [];
    const context = world.context(startedAt);
    const log = { ...context.log, error: (fields: object) => errors.push(fields) };
    await expect(checkLog.run({ ...context, log })).rejects.toThrow(/found [12] problem/);
    expect(errors).toContainEqual({ finding: expect.objectContaining({ stream_id: session }) });
    const { values } = await context.metrics.logCheckFindings.get();
    expect(values[0]).toMatchObject({ labels: { scope: 'new' } });
    expect(values[0]!.value).toBeGreaterThan(0);
  });
});
