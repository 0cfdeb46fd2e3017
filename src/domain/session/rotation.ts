import { deriveSuccessorSecret, hashSecret } from './refresh-token.ts';
import type { SessionState } from './state.ts';

/** A refresh token whose MAC was good. `secretHash` is `hashSecret` of its secret. */
export interface PresentedToken {
  readonly generation: number;
  readonly secretHash: string;
}

export interface RefreshRequest {
  readonly now: number;
  readonly presented: PresentedToken;
  /** SHA-256 of the request's Idempotency-Key header, or null. */
  readonly idempotencyKeyHash: string | null;
  readonly graceSeconds: number;
  /** 0: no idle timeout. */
  readonly idleSeconds: number;
}

/**
 * `rotate`: a new generation. `repeat`: the parent again; answer `repeatedSuccessor`, no event.
 * `reuse`: a used token; the session ends. `expired`: the clock ended it. `ended`, `superseded`: it
 * had ended, and only `superseded` may be told by which device. `unknown`, `ahead`, `mismatch`: no
 * token of this log (a restored backup, another ring).
 */
export type RefreshPlan =
  | 'rotate'
  | 'repeat'
  | 'reuse'
  | 'expired'
  | 'ended'
  | 'superseded'
  | 'unknown'
  | 'ahead'
  | 'mismatch';

/**
 * What a presented token is worth. It depends on the state and the request only, never on what a
 * process remembers.
 */
export function planRefresh(state: SessionState, request: RefreshRequest): RefreshPlan {
  if (state.status === 'none') return 'unknown';
  const place = placeOf(state, request.presented);
  if (place === 'ahead' || place === 'mismatch') return place;
  if (state.status === 'ended') {
    return state.endReason === 'superseded' && place !== 'older' ? 'superseded' : 'ended';
  }
  if (expiryCause(state, request.now, request.idleSeconds) !== null) return 'expired';
  if (place === 'current') return 'rotate';
  return place === 'parent' && mayRepeat(state, request) ? 'repeat' : 'reuse';
}

/**
 * Why the clock has ended a live session, or null. The instant of `expiresAt` is already too late.
 */
export function expiryCause(
  state: SessionState,
  now: number,
  idleSeconds: number,
): 'absolute' | 'idle' | null {
  if (now >= state.expiresAt) return 'absolute';
  if (idleSeconds > 0 && now >= state.refreshedAt + idleSeconds * 1000) return 'idle';
  return null;
}

/**
 * The secret of the current generation, derived again from its parent's. `state.salt` was drawn at
 * the rotation that made the current generation, so this is the very secret that the first answer
 * carried.
 */
export function repeatedSuccessor(
  state: SessionState,
  sessionId: string,
  parentSecret: Buffer,
): Buffer {
  if (state.salt === null) throw new Error('a repeated session has a salt');
  const secret = deriveSuccessorSecret(parentSecret, state.salt, sessionId, state.generation);
  if (hashSecret(secret) !== state.secretHash) {
    throw new Error('the parent does not derive the current secret');
  }
  return secret;
}

/**
 * Of an older generation no hash is kept: its MAC, checked before, is what says that it was ours.
 */
function placeOf(
  state: SessionState,
  presented: PresentedToken,
): 'current' | 'parent' | 'older' | 'ahead' | 'mismatch' {
  if (state.secretHash === null) return 'mismatch';
  if (presented.generation > state.generation) return 'ahead';
  if (presented.generation === state.generation) {
    return presented.secretHash === state.secretHash ? 'current' : 'mismatch';
  }
  if (presented.generation < state.generation - 1) return 'older';
  return presented.secretHash === state.parentHash ? 'parent' : 'mismatch';
}

function mayRepeat(state: SessionState, request: RefreshRequest): boolean {
  if (request.now <= state.refreshedAt + request.graceSeconds * 1000) return true;
  return (
    request.idempotencyKeyHash !== null && request.idempotencyKeyHash === state.idempotencyKeyHash
  );
}
