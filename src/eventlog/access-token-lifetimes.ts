import { limits } from '../domain/kernel/limits.ts';
import { safeInteger } from '../platform/postgres/safe-integer.ts';
import type { Queryable } from './queryable.ts';

/** How often a node says again what it is configured for. */
export const noteIntervalSeconds = 3_600;

/**
 * Notes, before the first token of that life is made, that this node makes access tokens of up to
 * `ttlSeconds`.
 */
export async function noteAccessTokenTtl(client: Queryable, ttlSeconds: number): Promise<void> {
  await client.query({
    text: `insert into latchkey.access_token_lifetimes as l (ttl_seconds, noted_at)
      values ($1, clock_timestamp())
      on conflict (ttl_seconds) do update set noted_at = excluded.noted_at`,
    values: [ttlSeconds],
  });
}

/**
 * The longest life that an unexpired access token may have: that of each node that runs, and of
 * those whose last token of it has not expired. The limit when no node has noted any.
 */
export async function longestNotedTtlSeconds(client: Queryable): Promise<number> {
  const { rows } = await client.query({
    text: `select max(ttl_seconds) as longest from latchkey.access_token_lifetimes
      where noted_at > clock_timestamp() - (ttl_seconds + $1) * interval '1 second'`,
    values: [2 * noteIntervalSeconds],
  });
  const longest = rows[0]!.longest;
  return longest === null ? limits.accessTokenTtlSecondsMax : safeInteger(longest);
}
