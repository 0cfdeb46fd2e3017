import { setTimeout as delay } from 'node:timers/promises';
import { LatchkeyError } from '../../src/domain/kernel/errors.ts';

/**
 * Looks again and again until `look` answers something, and answers that; fails after `timeoutMs`.
 * A loaded machine may refuse a look: that is no answer.
 */
export async function eventually<T>(
  look: () => Promise<T | null | undefined | false>,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look().catch(nothingWhenUnavailable);
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${look}`);
    await delay(25);
  }
}

function nothingWhenUnavailable(error: unknown): null {
  if (error instanceof LatchkeyError && error.code === 'unavailable') return null;
  throw error;
}
