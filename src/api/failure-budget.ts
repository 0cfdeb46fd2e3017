import { LatchkeyError } from '../domain/kernel/errors.ts';
import type { Budget } from './budgets.ts';
import type { Payers, RateLimits } from './rate-limits.ts';

/**
 * Runs one try of a credential, which pays unless the credential is right. Raises `rate_limited`.
 */
export function withFailureBudget<T>(
  rateLimits: RateLimits,
  payers: Payers,
  attempt: () => Promise<T>,
): Promise<T> {
  const wrong = ['invalid_credentials', 'invalid_client'];
  return payingFor(rateLimits, { budget: 'login_failure', refusals: wrong }, payers, attempt);
}

/**
 * Runs one registration, which pays if its address is taken: that answer tells of an account.
 * Raises `rate_limited`.
 */
export function withTakenBudget<T>(
  rateLimits: RateLimits,
  payers: Payers,
  attempt: () => Promise<T>,
): Promise<T> {
  const taken = { budget: 'register_taken', refusals: ['conflict'] } as const;
  return payingFor(rateLimits, taken, payers, attempt);
}

/**
 * Pays before the attempt, so that attempts side by side cannot exceed the budget, and is given it
 * back unless one of `refusals` is the answer.
 */
async function payingFor<T>(
  rateLimits: RateLimits,
  { budget, refusals }: { readonly budget: Budget; readonly refusals: readonly string[] },
  payers: Payers,
  attempt: () => Promise<T>,
): Promise<T> {
  const spent = rateLimits.take(budget, payers);
  try {
    const result = await attempt();
    spent.giveBack();
    return result;
  } catch (error) {
    if (!(error instanceof LatchkeyError) || !refusals.includes(error.code)) spent.giveBack();
    throw error;
  }
}
