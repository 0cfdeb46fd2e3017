import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';

/** Another migration holds the lock and does not end; the message names it. */
class MigrationLockError extends Error {
  override readonly name = 'MigrationLockError';
}

export const migrationTurnWaitMs = 600_000;
const pauseMs = 100;

// Any constant does, as long as every release uses the same.
const lockKey = '7021385604918273';

/**
 * Takes the lock that one migration of a database holds at a time; it goes with the session. Says
 * for whom it waits, and throws MigrationLockError, which names that one, after `waitMs`.
 */
export async function takeMigrationLock(
  client: pg.Client,
  { waitMs, logger }: { waitMs: number; logger: { info(fields: object, message: string): void } },
): Promise<void> {
  const deadline = performance.now() + waitMs;
  for (let waited = false; ; waited = true) {
    const { rows } = await client.query('select pg_try_advisory_lock($1) as taken', [lockKey]);
    if (rows[0].taken === true) return;
    const holder = await holderOf(client);
    if (!waited) logger.info({ holder }, 'waiting for another migration');
    if (performance.now() > deadline) {
      throw new MigrationLockError(
        `Another migration has not ended within ${Math.round(waitMs / 1000)} s: ${holder}. ` +
          'Wait for it, or end that session with pg_terminate_backend, and run `latchkey migrate` again.',
      );
    }
    await delay(pauseMs);
  }
}

async function holderOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ holder: string }>(
    `select format('pid %s (%s, %s since %s)', a.pid, a.application_name, a.state, a.state_change) as holder
     from pg_locks l join pg_stat_activity a using (pid)
     where l.locktype = 'advisory' and l.granted and l.objsubid = 1
       and (l.classid::bigint << 32) + l.objid::bigint = $1::bigint
       and l.database = (select oid from pg_database where datname = current_database())`,
    [lockKey],
  );
  return rows[0]?.holder ?? 'a session that has just ended';
}
