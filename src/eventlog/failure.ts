import { LatchkeyError } from '../domain/kernel/errors.ts';
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
  if (code === undefined) {
    return isConnectionFailure(error) ? { kind: 'connection' } : { kind: 'other', error };
  }
  if (code === 'LK409') return { kind: 'race' };
  if (code === '55P03' || code === '40P01' || code === '40001') return { kind: 'busy' };
  if (code === '23505') {
    const { constraint } = error as { constraint?: string };
    // The subject's key is as new as its stream: somebody else created both.
    if (constraint === 'subject_keys_pkey') return { kind: 'race' };
    return { kind: 'other', error: new UniqueViolationError(constraint ?? 'unknown', error) };
  }
  // 08: connection; 57P0x: shutdown or crash; 57014: cancelled by a timeout; 53300: too many
  // connections; 25006: standby.
  if (/^(08|28|3D000|57P0|57014|53|25006|XX000)/.test(code)) return { kind: 'connection' };
  return { kind: 'other', error };
}

function wasNeverSent(error: unknown): boolean {
  return error instanceof LatchkeyError && error.cause instanceof CommitsHangError;
}

function sqlState(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    const { code } = current as { code?: unknown };
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code;
  }
  return undefined;
}

function isConnectionFailure(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    const { code } = current as { code?: unknown };
    if (current instanceof LatchkeyError && code === 'unavailable') return true;
    if (
      typeof code === 'string' &&
      /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|EAI_|ENOTFOUND)/.test(code)
    ) {
      return true;
    }
    if (/connection|timeout|terminated/i.test(current.message)) return true;
  }
  return false;
}
