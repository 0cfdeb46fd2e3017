import { createHmac } from 'node:crypto';
import { type Budget, budgets, type Payers } from '../domain/kernel/budgets.ts';
import { derivedKey } from '../platform/crypto/derived-key.ts';
import {
  type Budgets,
  type Charge,
  chargesOf,
  type LocalRateLimits,
  type RateLimits,
  rateLimited,
  spentOnce,
} from './rate-limits.ts';
import type { AloneReason, SharedCounts } from './shared-counts.ts';

export interface SharedRateLimitsOptions {
  /** What this process allows by itself: asked first, and alone while the store does not answer. */
  readonly local: LocalRateLimits;
  readonly counts: SharedCounts;
  /** One for all nodes; the names of the payers are hashed under a key derived from it. */
  readonly secret: Uint8Array;
  readonly budgets?: Budgets;
  readonly onLimited?: (budget: Budget) => void;
  /** This process decided alone. */
  readonly onAlone?: (reason: AloneReason) => void;
}

/**
 * The same budgets over all nodes that share a store. Each attempt is counted by this process and
 * by the store, and refused if either has no room. When the store does not answer in time, or with
 * an error, this process decides alone, by what it has counted itself: never without a limit, and
 * never with an error. The store holds no name and no address, only hashes of them.
 */
export function createSharedRateLimits(options: SharedRateLimitsOptions): RateLimits {
  const { local, counts, onLimited, onAlone } = options;
  const table = options.budgets ?? budgets;
  const keyOf = payerKey(options.secret);
  const shared = async (mode: 'take' | 'look', budget: Budget, charges: readonly Charge[]) => {
    if (charges.length === 0) return null;
    const counted = await counts.count(mode, charges);
    if (typeof counted === 'string') {
      onAlone?.(counted);
      return null;
    }
    if (counted.waitMs === 0) return counted;
    onLimited?.(budget);
    throw rateLimited(budget, counted.waitMs);
  };
  const named = (budget: Budget, payers: Payers) =>
    chargesOf(table, budget, payers).map((charge) => ({ ...charge, key: keyOf(charge) }));
  return {
    async take(budget, payers) {
      const here = local.take(budget, payers);
      const charges = named(budget, payers);
      try {
        const counted = await shared('take', budget, charges);
        return spentOnce(() => {
          here.giveBack();
          if (counted !== null) counts.undo(charges, counted);
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
  const key = derivedKey(secret, 'latchkey shared rate limits');
  return ({ key: name, windowMs }) => {
    const hashed = createHmac('sha256', key).update(`${windowMs} ${name}`).digest('base64url');
    return hashed.slice(0, 22);
  };
}
