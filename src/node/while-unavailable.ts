import { setTimeout as delay } from 'node:timers/promises';
import { LatchkeyError } from '../domain/kernel/errors.ts';

const patienceMs = 20_000;
const pauseMs = 250;

/**
 * Tries `work` again while the database is too slow for it. For a start that has reached its
 * database: nobody waits for an answer, and a cold disk or a recovery is no reason to give up.
 */
export async function whileUnavailable<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isSlow = error instanceof LatchkeyError && error.code === 'unavailable';
      if (!isSlow || performance.now() > deadline) throw error;
      await delay(pauseMs);
    }
  }
}
