import { createHmac, randomBytes } from 'node:crypto';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import { identifierKey } from '../domain/user/identifier.ts';
import { addressGroup } from './client-address.ts';

/** Attempts a minute. Ordinary use, an office behind one address included, stays far below. */
const attemptsPerMinute = {
  login: { address: 600, identifier: 60 },
  register: { address: 120, identifier: 20 },
  refresh: { address: 6000, identifier: 600 },
} as const;

export type LimitedAction = keyof typeof attemptsPerMinute;
type Limits = Readonly<
  Record<LimitedAction, { readonly address: number; readonly identifier: number }>
>;

export interface RateLimits {
  /**
   * Counts one attempt; raises `rate_limited` with the seconds to wait. `identifier` is what is
   * being tried.
   */
  consume(action: LimitedAction, address: string, identifier?: string): Promise<void>;
}

/**
 * Rate limits in this process's memory, per address and per address with identifier. Identifiers
 * are kept only as a keyed digest, and the key dies with the process.
 */
export function createRateLimits(options: {
  readonly enabled: boolean;
  readonly limits?: Limits;
  readonly onLimited?: (action: LimitedAction) => void;
}): RateLimits {
  if (!options.enabled) return { consume: async () => {} };
  const key = randomBytes(32);
  const table = options.limits ?? attemptsPerMinute;
  const limiters = new Map(
    (Object.keys(table) as LimitedAction[]).map((action) => [action, limitersOf(table[action])]),
  );
  return {
    async consume(action, address, identifier) {
      const { byAddress, byIdentifier } = limiters.get(action)!;
      const group = addressGroup(address);
      try {
        await byAddress.consume(group);
        if (identifier !== undefined) await byIdentifier.consume(digest(key, group, identifier));
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal;
        options.onLimited?.(action);
        const retryAfterSeconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
        throw new LatchkeyError('rate_limited', { retryAfterSeconds });
      }
    },
  };
}

function limitersOf(points: { address: number; identifier: number }) {
  return {
    byAddress: new RateLimiterMemory({ points: points.address, duration: 60 }),
    byIdentifier: new RateLimiterMemory({ points: points.identifier, duration: 60 }),
  };
}

function digest(key: Buffer, group: string, identifier: string): string {
  return createHmac('sha256', key)
    .update(`${group}\n${identifierKey(identifier)}`)
    .digest('base64url');
}
