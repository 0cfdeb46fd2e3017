import type { Budget, Payers } from '../domain/kernel/budgets.ts';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { RateLimits, Spent } from './rate-limits.ts';

/** Takes one try from the budget, once, or raises `rate_limited`. */
export type PayTry = () => Promise<void>;

/**
 * Runs one try of a credential, which pays unless the credential is right. `attempt` calls `payTry`
 * just before it compares. `isKnown`: the try shows a token of a known device, which the attempt
 * looks at before it demands that strangers have left room. Raises `rate_limited`.
 */
export async function withFailureBudget<T>(
  rateLimits: RateLimits,
  payers: Payers,
  attempt: (payTry: PayTry) => Promise<T>,
  { isKnown = false }: { readonly isKnown?: boolean } = {},
): Promise<T> {
  if (!isKnown) await rateLimits.requireRoom('login_failure', payers);
  const wrong = ['invalid_credentials', 'invalid_client'];
  return payingFor(rateLimits, { budget: 'login_failure', refusals: wrong }, payers, attempt);
}

/**
 * Runs one registration, which pays if its address is taken: that answer tells of an account.
 * `attempt` calls `payTry` just before it looks. Raises `rate_limited`.
 */
export async function withTakenBudget<T>(
  rateLimits: RateLimits,
  payers: Payers,
  attempt: (payTry: PayTry) => Promise<T>,
): Promise<T> {
  await rateLimits.requireRoom('register_taken', payers);
  const taken = { budget: 'register_taken', refusals: ['conflict'] } as const;
  return payingFor(rateLimits, taken, payers, attempt);
}

/**
 * A try pays before its answer is known, so that tries side by side cannot exceed the budget, but
 * not while it waits for its turn: else honest users of one address who come at once would refuse
 * each other. It is given back unless one of `refusals` is the answer; a refusal that came before
 * the payment pays then.
 */
async function payingFor<T>(
  rateLimits: RateLimits,
  { budget, refusals }: { readonly budget: Budget; readonly refusals: readonly string[] },
  payers: Payers,
  attempt: (payTry: PayTry) => Promise<T>,
): Promise<T> {
  let spent: Spent | null = null;
  let paying: Promise<void> | null = null;
  const pay = async () => {
    spent = await rateLimits.take(budget, payers);
  };
  const payTry = () => {
    paying ??= pay();
    return paying;
  };
  const giveBack = () => spent?.giveBack();
  try {
    const result = await attempt(payTry);
    giveBack();
    return result;
  } catch (error) {
    if (error instanceof LatchkeyError && refusals.includes(error.code)) await payTry();
    else giveBack();
    throw error;
  }
}
