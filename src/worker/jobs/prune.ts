import { limits } from '../../domain/kernel/limits.ts';
import { longestNotedTtlSeconds } from '../../eventlog/access-token-lifetimes.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import { type Pruning, prune } from '../../rebuild/prune.ts';
import { forgetOldProofs } from '../../tables/dpop-proof.ts';
import { forgetOldCounts } from '../../tables/rate-limit.ts';
import { everyMinute, type Job, type JobContext, withinMinutes } from '../job.ts';

const batchSize = 1_000;
/** A run stops after these; then the statement under way has as much time again. */
const runMinutesMax = 4;
const runTimeoutMs = 2 * runMinutesMax * 60_000;

/** Forgets revocations that kill no token any more. */
export const pruneOldRevocations: Job = {
  name: 'revocations.prune',
  cron: everyMinute,
  atStart: true,
  run: (context) => pruneAll(context, 'revocations', 0),
};

/**
 * Forgets revocations of users, clients and keys as soon as a token of the longest life that any
 * node was configured for has expired, not only after the longest life that may be configured.
 */
export const pruneOldEpochs: Job = {
  name: 'revocation-epochs.prune',
  cron: everyMinute,
  atStart: true,
  run: async (context) => {
    const longestSeconds = await longestNotedTtlSeconds(context.pool);
    const sparedSeconds = limits.accessTokenTtlSecondsMax - longestSeconds;
    await pruneAll(context, 'revocation_epochs', -sparedSeconds * 1000);
  },
};

/**
 * Forgets the rows of sessions that ended longer ago than SESSION_RETENTION_SECONDS; the log keeps
 * their events.
 */
export const pruneOldSessions: Job = {
  name: 'sessions.prune',
  cron: everyMinute,
  atStart: true,
  run: (context) => pruneAll(context, 'sessions', context.config.sessions.retentionSeconds * 1000),
};

/** Forgets DPoP proofs that are too old to be accepted again. */
export const pruneOldProofs: Job = {
  name: 'dpop-proofs.prune',
  cron: everyMinute,
  atStart: true,
  run: (context) => forgetAll(context, 'dpop_proofs', forgetOldProofs),
};

/** Forgets what nodes counted for rate limits in windows that are over. */
export const pruneOldCounts: Job = {
  name: 'rate-limits.prune',
  cron: everyMinute,
  atStart: true,
  run: (context) => forgetAll(context, 'rate_limits', forgetOldCounts),
};

async function forgetAll(
  { pool, log, signal }: JobContext,
  pruning: string,
  forget: (client: Queryable, limit: number) => Promise<number>,
): Promise<void> {
  const within = withinMinutes(runMinutesMax, signal);
  let rows = 0;
  for (let page = batchSize; page === batchSize && !within.aborted; rows += page) {
    page = await pool.use((client) => forget(client, batchSize), { timeoutMs: runTimeoutMs });
  }
  if (rows > 0) log.info({ pruning, rows }, 'old rows pruned');
}

async function pruneAll(
  { pool, log, signal, now }: JobContext,
  pruning: Pruning,
  beforeNowMs: number,
): Promise<void> {
  const options = { pruning, at: now() - beforeNowMs, beforeNowMs, limit: batchSize };
  const rows = await pool.use(
    (client) => prune(client, options, withinMinutes(runMinutesMax, signal)),
    { timeoutMs: runTimeoutMs },
  );
  if (rows > 0) log.info({ pruning, rows }, 'old rows pruned');
}
