import { retiringSeconds } from '../../domain/keyset/schedule.ts';
import { longestAccessTokenTtlSeconds } from '../../domain/session/lifetimes.ts';
import { longestNotedTtlSeconds } from '../../eventlog/access-token-lifetimes.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import type { KeysetNode } from './ensure-issuer-keys.ts';

/**
 * Until the last token that a key signed has expired on every node's clock. Whoever rotates may be
 * configured for shorter lives than a node that signs: what the nodes have noted counts too.
 */
export async function retireForSeconds(
  readers: Queryable,
  config: Pick<KeysetNode['config'], 'lifetimes' | 'verification'>,
): Promise<number> {
  const configured = longestAccessTokenTtlSeconds(config.lifetimes);
  const longest = Math.max(configured, await longestNotedTtlSeconds(readers));
  return retiringSeconds(longest, config.verification.clockSkewSeconds);
}
