import { longestAccessTokenTtlSeconds } from '../domain/session/lifetimes.ts';
import { noteAccessTokenTtl, noteIntervalSeconds } from '../eventlog/access-token-lifetimes.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import type { Logger } from '../platform/logging/logging.ts';
import type { Config } from './config.ts';

/**
 * Notes in the database how long this node's access tokens live, before it makes the first, and
 * again every hour until `stop`: revocations are kept for as long as the longest noted life.
 */
export async function keepLifetimeNoted(
  readers: Queryable,
  config: Config,
  log: Pick<Logger, 'warn'>,
): Promise<{ stop(): void }> {
  const note = () => noteAccessTokenTtl(readers, longestAccessTokenTtlSeconds(config.lifetimes));
  await note();
  const timer = setInterval(() => {
    note().catch((error: unknown) => log.warn({ err: error }, 'the token life was not noted'));
  }, noteIntervalSeconds * 1000);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
