import { expect } from 'vitest';
import { type TestDatabase, withClient } from './postgres.ts';

/**
 * Starts `work` while another transaction holds the stream, lets `meanwhile` happen once an append
 * of `work` waits for it, and answers what becomes of `work` when the stream is free again.
 */
export function heldUpAt<T>(
  database: TestDatabase,
  streamId: string,
  { work, meanwhile }: { work: () => Promise<T>; meanwhile: () => Promise<unknown> },
): Promise<T> {
  return withClient(database.ownerUrl, async (holder) => {
    await holder.query('begin');
    await holder.query('select from latchkey.streams where stream_id = $1 for update', [streamId]);
    const working = work();
    await untilWaiting(database, `query like '%append%'`);
    await meanwhile();
    await holder.query('commit');
    return working;
  });
}

/**
 * Holds the streams until two requests, of two nodes, have decided and wait to append: each then
 * decided without knowing of the other.
 */
export function decidedTogether<T>(
  database: TestDatabase,
  streamIds: readonly string[],
  requests: () => Promise<T>[],
): Promise<T[]> {
  return withClient(database.ownerUrl, async (holder) => {
    await holder.query('begin');
    await holder.query('select from latchkey.streams where stream_id = any ($1) for update', [
      streamIds,
    ]);
    const answers = Promise.all(requests());
    await untilWaiting(database, `query like '%append%'`, 2);
    await holder.query('commit');
    return answers;
  });
}

/**
 * Waits until `count` sessions of the database, of those that `which` (SQL) describes, have waited
 * for a lock. Looks from a session of its own: a transaction sees the same activity to its end.
 */
export function untilWaiting(database: TestDatabase, which: string, count = 1): Promise<void> {
  // An append gives up after a while and tries again.
  const waited = new Set<number>();
  return withClient(database.ownerUrl, (observer) =>
    expect
      .poll(
        async () => {
          const { rows } = await observer.query(`select pid from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and ${which}`);
          for (const { pid } of rows) waited.add(pid);
          return waited.size;
        },
        { interval: 2 },
      )
      .toBeGreaterThanOrEqual(count),
  );
}
