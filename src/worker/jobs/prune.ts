import type { Queryable } from '../../eventlog/queryable.ts';
import { pruneRevocations, pruneSessions } from '../../projections/prune.ts';
import { everyMinute, type Job, type JobContext } from '../job.ts';

const batchSize = 1_000;
const batchTimeoutMs = 20_000;

/** Forgets revocations that kill no token any more. */
export const pruneOldRevocations: Job = {
  name: 'revocations.prune',
  cron: everyMinute,
  atStart: true,
  run: (context) => pruneAll(context, 'revocations', pruneRevocations, context.now()),
};

/**
 * Forgets the rows of sessions that ended longer ago than SESSION_RETENTION_SECONDS; the log keeps
 * their events.
 */
export const pruneOldSessions: Job = {
  name: 'sessions.prune',
  cron: everyMinute,
  atStart: true,
  run: (context) => {
    const at = context.now() - context.config.sessionRetentionSeconds * 1000;
    return pruneAll(context, 'sessions', pruneSessions, at);
  },
};

async function pruneAll(
  context: JobContext,
  projection: string,
  prune: (client: Queryable, at: number, limit: number) => Promise<number>,
  at: number,
): Promise<void> {
  let pruned = 0;
  while (!context.signal.aborted) {
    const prunedNow = await context.readers.use((client) => prune(client, at, batchSize), {
      timeoutMs: batchTimeoutMs,
    });
    pruned += prunedNow;
    if (prunedNow <= batchSize) break;
  }
  if (pruned > 0) context.log.info({ projection, rows: pruned }, 'old rows pruned');
}
