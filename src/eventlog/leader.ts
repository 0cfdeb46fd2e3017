import { setTimeout as delay } from 'node:timers/promises';
import { advisoryLocks } from '../platform/postgres/advisory-locks.ts';
import type { Queryable } from './queryable.ts';

const tryMs = 500;

type LeaderLock = Exclude<keyof typeof advisoryLocks, 'class'>;

/**
 * Resolves once this connection leads, of all that ask for the same lock. It leads until it ends; the
 * server may notice later than the next leader that a connection is gone, so what a leader writes
 * must be compared with what stands there. Rejects when `signal` is aborted.
 */
export async function lead(
  client: Queryable,
  lock: LeaderLock,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    if (await tryToLead(client, lock)) return;
    await delay(tryMs, undefined, { signal });
  }
}

/** Whether this connection leads from now on, as `lead` says. */
export async function tryToLead(client: Queryable, lock: LeaderLock): Promise<boolean> {
  const { rows } = await client.query({
    text: 'select pg_try_advisory_lock($1, $2) as leads',
    values: [advisoryLocks.class, advisoryLocks[lock]],
  });
  return rows[0]!.leads === true;
}
