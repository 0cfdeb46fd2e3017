import { createHmac } from 'node:crypto';
import { type Budget, budgets, type Payers } from '../domain/kernel/budgets.ts';
import { derivedKey } from '../platform/crypto/derived-key.ts';
import type {
  RedisLink,
  RedisUnavailableError,
  RedisUnavailableReason,
} from '../platform/redis/link.ts';
import {
  type Budgets,
  type Charge,
  chargesOf,
  type LocalRateLimits,
  type RateLimits,
  rateLimited,
  spentOnce,
} from './rate-limits.ts';
import { countShared, type SharedCounted, undoShared } from './shared-counts.ts';

export interface SharedRateLimitsOptions {
  /** What this process allows by itself: asked first, and alone while Redis does not answer. */
  readonly local: LocalRateLimits;
  readonly link: Pick<RedisLink, 'run'>;
  /** One for all nodes; the names of the payers are hashed under a key derived from it. */
  readonly secret: Uint8Array;
  readonly budgets?: Budgets;
  readonly onLimited?: (budget: Budget) => void;
  /** This process decided alone. */
  readonly onAlone?: (reason: RedisUnavailableReason) => void;
}

const answerMs = 50;

/**
 * The same budgets over all nodes that share a Redis. Each attempt is counted by this process and
 * by Redis, and refused if either has no room. When Redis does not answer within 50 ms, or with an
 * error, this process decides alone, by what it has counted itself: never without a limit, and
 * never with an error. Redis holds no name and no address, only hashes of them.
 */
export function createSharedRateLimits(options: SharedRateLimitsOptions): RateLimits {
  const { local, link, onLimited, onAlone } = options;
  const table = options.budgets ?? budgets;
  const keyOf = payerKey(options.secret);
  const shared = async (mode: 'take' | 'look', budget: Budget, charges: readonly Charge[]) => {
    if (charges.length === 0) return null;
    const counted = await link
      .run((redis) => countShared(redis, mode, charges), { timeoutMs: answerMs })
      .catch((error: RedisUnavailableError) => {
        onAlone?.(error.reason);
        return null;
      });
    if (counted === null || counted.waitMs === 0) return counted;
    onLimited?.(budget);
    throw rateLimited(budget, counted.waitMs);
  };
  const named = (budget: Budget, payers: Payers) =>
    chargesOf(table, budget, payers).map((charge) => ({ ...charge, key: keyOf(charge) }));
  const giveBack = (charges: readonly Charge[], counted: SharedCounted) => {
    link
      .run((redis) => undoShared(redis, charges, counted), { timeoutMs: answerMs })
      // Counted once too often: it fades with its window.
      .catch(() => {});
  };
  return {
    async take(budget, payers) {
      const here = local.take(budget, payers);
      const charges = named(budget, payers);
      try {
        const counted = await shared('take', budget, charges);
        return spentOnce(() => {
          here.giveBack();
          if (counted !== null) giveBack(charges, counted);
        });
      } catch (error) {
        here.giveBack();
        throw error;
      }
    },
    async requireRoom(budget, payers) {
      local.requireRoom(budget, payers);
      await shared('look', budget, named(budget, payers));
    },
  };
}

/** Windows of one payer are counted apart. */
function payerKey(secret: Uint8Array): (charge: Charge) => string {
  const key = derivedKey(secret, 'latchkey redis rate limits');
  return ({ key: name, windowMs }) => {
    const hashed = createHmac('sha256', key).update(`${windowMs} ${name}`).digest('base64url');
    return `latchkey:limit:${hashed.slice(0, 22)}`;
  };
}
