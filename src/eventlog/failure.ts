import { LatchkeyError } from '../domain/kernel/errors.ts';
import { isConnectionError, sqlState } from '../platform/postgres/errors.ts';
import { UniqueViolationError } from './command.ts';
import { CommitsHangError } from './commit-breaker.ts';

export type Failure =
  | { readonly kind: 'connection' | 'busy' | 'race' }
  | { readonly kind: 'other'; readonly error: unknown };

/**
 * What a failed append means. `connection`: it may have been committed. `busy`: a lock or deadlock,
 * nothing appended, try again. `race`: a stream that had to be new was created meanwhile. `other`:
 * nothing appended, and it would fail again.
 */
export function classifyFailure(error: unknown): Failure {
  if (wasNeverSent(error)) return { kind: 'other', error };
  const code = sqlState(error);
  if (code === 'LK409') return { kind: 'race' };
  if (code === '55P03' || code === '40P01' || code === '40001') return { kind: 'busy' };
  if (code === '23505') {
    const { constraint } = error as { constraint?: string };
    // The subject's key is as new as its stream: somebody else created both.
    if (constraint === 'subject_keys_pkey') return { kind: 'race' };
    return { kind: 'other', error: new UniqueViolationError(constraint ?? 'unknown', error) };
  }
  return isUnavailable(error) ? { kind: 'connection' } : { kind: 'other', error };
}

function wasNeverSent(error: unknown): boolean {
  return error instanceof LatchkeyError && error.cause instanceof CommitsHangError;
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof LatchkeyError && error.code === 'unavailable') return true;
  return isConnectionError(error);
}

/** An append that did not happen, or did not answer in time; it may be tried again. */
export function unavailable(detail: string, cause?: unknown): LatchkeyError {
  return new LatchkeyError('unavailable', { detail, cause, retryAfterSeconds: 1 });
}
