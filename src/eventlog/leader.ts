import { setTimeout as delay } from 'node:timers/promises';
import { advisoryLocks } from '../platform/postgres/advisory-locks.ts';
import type { Queryable } from './queryable.ts';

const tryMs = 500;

/**
 * Resolves once this connection leads, of all that ask for the same lock. It leads until it ends; the
 * server may notice later than the next leader that a connection is gone, so what a leader writes
 * must be compared with what stands there. Rejects when `signal` is aborted.
 */
export async function lead(
  client: Queryable,
  lock: Exclude<keyof typeof advisoryLocks, 'class'>,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const { rows } = await client.query({
      text: 'select pg_try_advisory_lock($1, $2) as leads',
      values: [advisoryLocks.class, advisoryLocks[lock]],
    });
    if (rows[0]!.leads === true) return;
    await delay(tryMs, undefined, { signal });
  }
}
