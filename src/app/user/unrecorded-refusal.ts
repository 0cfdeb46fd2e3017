import { LatchkeyError } from '../../domain/kernel/errors.ts';

/**
 * Decides a check of a proof, and tells also of a refusal that no event records: of a locked or
 * disabled user, or a code that was used. One that is recorded is told once it is in the log
 * (`refuse`).
 */
export function tellingRefusal<T>(onRefused: () => void, decide: () => T): T {
  try {
    return decide();
  } catch (error) {
    if (error instanceof LatchkeyError && error.code === 'invalid_credentials') onRefused();
    throw error;
  }
}
