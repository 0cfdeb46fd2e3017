import { setTimeout as delay } from 'node:timers/promises';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { isTurnedAway } from './errors.ts';

const patienceMsDefault = 20_000;
const pauseMs = 250;

/**
 * Tries `work` again while the database is too slow for it, for 20 s. For a start that has reached
 * its database: nobody waits for an answer, and a cold disk or a recovery is no reason to give up.
 */
export function whileUnavailable<T>(work: () => Promise<T>): Promise<T> {
  return whileFailing(work, isUnavailable, patienceMsDefault);
}

/**
 * The same for the first contact, which gives up at once when the server is not there or refuses
 * us: a wrong URL does not become right by waiting. `log` hears that it waits. Each try of `work`
 * needs a deadline of its own.
 */
export function untilAnswered<T>(
  work: () => Promise<T>,
  log: { warn(fields: object, message: string): void },
  patienceMs = patienceMsDefault,
): Promise<T> {
  let isTold = false;
  const isWorthWaiting = (error: unknown) => {
    if (!isUnavailable(error) || isTurnedAway(error)) return false;
    if (!isTold) log.warn({ err: error }, 'the database does not answer yet: waiting for it');
    isTold = true;
    return true;
  };
  return whileFailing(work, isWorthWaiting, patienceMs);
}

function isUnavailable(error: unknown): boolean {
  return error instanceof LatchkeyError && error.code === 'unavailable';
}

async function whileFailing<T>(
  work: () => Promise<T>,
  isWorthWaiting: (error: unknown) => boolean,
  patienceMs: number,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isWorthWaiting(error) || performance.now() > deadline) throw error;
      await delay(pauseMs);
    }
  }
}
