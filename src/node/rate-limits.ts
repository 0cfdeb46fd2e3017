import {
  type Budget,
  budgets,
  type Payer,
  type Payers,
  type Rule,
} from '../domain/kernel/budgets.ts';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import { identifierKey } from '../domain/user/identifier.ts';
import { addressGroup, networkOf } from '../platform/client-address.ts';
import { SlidingCounts } from '../platform/sliding-counts.ts';

/** A float's error must not cost a whole second. */
const roundingMs = 0.01;

/** What one attempt took from its budget. */
export interface Spent {
  /** For an attempt that turned out to be none that the budget is about. */
  giveBack(): void;
}

export interface RateLimits {
  /**
   * Counts one attempt, or raises `rate_limited` with the seconds until there is room for one; an
   * attempt that is refused is not counted.
   */
  take(budget: Budget, payers: Payers): Spent | Promise<Spent>;
  /** Raises `rate_limited` when there is no room for one attempt; counts nothing. */
  requireRoom(budget: Budget, payers: Payers): void | Promise<void>;
}

/** Those of one process, which need not be waited for. */
export interface LocalRateLimits extends RateLimits {
  take(budget: Budget, payers: Payers): Spent;
  requireRoom(budget: Budget, payers: Payers): void;
}

/** What one attempt costs one payer: `count` attempts in `windowMs` are the limit. */
export interface Charge {
  readonly key: string;
  readonly count: number;
  readonly windowMs: number;
}

export type Budgets = Readonly<Record<Budget, readonly Rule[]>>;

export interface RateLimitsOptions {
  readonly enabled: boolean;
  readonly budgets?: Budgets;
  readonly onLimited?: (budget: Budget) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/**
 * Rate limits over sliding windows in this process's memory, whose size is fixed: 2 MiB for each
 * length of a window (`sliding-counts.ts`). Names are hashed under a key that dies with the
 * process.
 */
export function createRateLimits(options: RateLimitsOptions): LocalRateLimits {
  const nothing: Spent = { giveBack: () => {} };
  if (!options.enabled) return { take: () => nothing, requireRoom: () => {} };
  const table = options.budgets ?? budgets;
  const sketches = new Map<number, SlidingCounts>();
  for (const { windowSeconds } of Object.values(table).flat()) {
    if (sketches.has(windowSeconds)) continue;
    const now = options.now === undefined ? {} : { now: options.now };
    sketches.set(windowSeconds, new SlidingCounts({ windowMs: windowSeconds * 1000, ...now }));
  }
  const roomFor = (budget: Budget, payers: Payers) => {
    const charges = chargesOf(table, budget, payers).map(({ key, count, windowMs }) => ({
      sketch: sketches.get(windowMs / 1000)!,
      key,
      count,
    }));
    const waits = charges.map(({ sketch, key, count }) => sketch.waitMs(key, count));
    const waitMs = Math.max(0, ...waits);
    if (waitMs === 0) return charges;
    options.onLimited?.(budget);
    throw rateLimited(budget, waitMs);
  };
  return {
    take(budget, payers) {
      const charges = roomFor(budget, payers);
      const counted = charges.map(({ sketch, key }) => [sketch, sketch.add(key)] as const);
      return spentOnce(() => {
        for (const [sketch, count] of counted) sketch.undo(count);
      });
    },
    requireRoom(budget, payers) {
      roomFor(budget, payers);
    },
  };
}

/** What an attempt costs whom, by the rules of its budget. */
export function chargesOf(table: Budgets, budget: Budget, payers: Payers): Charge[] {
  return table[budget].flatMap(({ per, count, windowSeconds }) => {
    const payer = payerOf(per, payers);
    if (payer === null) return [];
    return [{ key: `${budget} ${per} ${payer}`, count, windowMs: windowSeconds * 1000 }];
  });
}

/** The refusal of an attempt for which there is room in `waitMs`. */
export function rateLimited(budget: Budget, waitMs: number): LatchkeyError {
  return new LatchkeyError('rate_limited', {
    retryAfterSeconds: Math.max(1, Math.ceil((waitMs - roundingMs) / 1000)),
    detail: `budget ${budget}`,
  });
}

/** What is given back only once, however often that is asked. */
export function spentOnce(giveBack: () => void): Spent {
  let given = false;
  return {
    giveBack() {
      if (given) return;
      given = true;
      giveBack();
    },
  };
}

function payerOf(
  per: Payer,
  { address, name, userId, sessionId, clientId }: Payers,
): string | null {
  switch (per) {
    case 'address':
      return address === undefined ? null : addressGroup(address);
    case 'network':
      return address === undefined ? null : networkOf(address);
    case 'name':
      if (address === undefined || name === undefined) return null;
      return `${addressGroup(address)} ${identifierKey(name)}`;
    case 'identifier':
      return name === undefined ? null : identifierKey(name);
    case 'user':
      return userId ?? null;
    case 'session':
      return sessionId ?? null;
    case 'client':
      return clientId ?? null;
  }
}
