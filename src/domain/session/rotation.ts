import { sha256 } from '../kernel/sha256.ts';
import { deriveSuccessorSecret } from './refresh-token.ts';
import type { SessionState } from './state.ts';

/** A refresh token whose MAC was good. `secretHash` is `sha256` of its secret. */
export interface PresentedRefreshToken {
  readonly generation: number;
  readonly secretHash: string;
}

export interface RefreshRequest {
  readonly now: number;
  readonly presented: PresentedRefreshToken;
  /** SHA-256 of the request's Idempotency-Key header, or null. */
  readonly idempotencyKeyHash: string | null;
  readonly graceSeconds: number;
  /** Whether the request proves the key of the session; means nothing in an unbound one. */
  readonly keyProven: boolean;
  /** 0: no idle timeout. */
  readonly idleSeconds: number;
  /** The absolute life that is configured now; none: what the session started with. */
  readonly sessionTtlSeconds?: number | undefined;
  /** Newer sessions leave this one no place under the policy that is configured now. */
  readonly surplus?: boolean;
}

/**
 * `rotate`: a new generation. `repeat`: the parent again; answer `repeatedSuccessor`, no event.
 * `reuse`: a used token; the session ends. `unproven`: of a bound session, without proof of its key;
 * nothing changes. `surplus`: newer sessions have its place, so it ends.
 * `expired`: the clock ended it. `ended`, `superseded`: it
 * had ended, and only `superseded` may be told by which device. `unknown`, `ahead`, `mismatch`: no
 * token of this log (a restored backup, another ring).
 */
export type RefreshPlan =
  | 'rotate'
  | 'repeat'
  | 'reuse'
  | 'unproven'
  | 'surplus'
  | 'expired'
  | 'ended'
  | 'superseded'
  | 'unknown'
  | 'ahead'
  | 'mismatch';

/**
 * What a presented token is worth. It depends on the state and the request only, never on what a
 * process remembers.
 *
 * In a bound session the key stands for the token. Whoever proves it gets a good token for each
 * that the session ever had: the same successor again for the one that the current token derives
 * from, a new generation for any other. Nothing that it presents is reuse. Without the proof a
 * token, stolen or not, is worth nothing: it learns nothing of a session that lives and cannot end
 * it, or a thief without the key could log the owner out. Only a browser is told the end of its
 * session without a proof: it may have forgotten the key by then.
 */
export function planRefresh(state: SessionState, request: RefreshRequest): RefreshPlan {
  if (state.status === 'none') return 'unknown';
  const proven = state.deviceKey !== null && request.keyProven;
  const bound = proven || isBound(state);
  const place = placeOf(state, request.presented, bound);
  if (place === 'ahead' || place === 'mismatch') return place;
  const unproven = bound && !proven;
  if (unproven && state.deviceKey?.kind === 'dpop') return 'unproven';
  if (state.status === 'ended') {
    const mayKnow = bound ? proven : place !== 'older';
    return state.endReason === 'superseded' && mayKnow ? 'superseded' : 'ended';
  }
  if (isOver(state, request)) return 'expired';
  if (unproven) return 'unproven';
  const repeats = place === 'parent' && (bound || mayRepeat(state, request));
  if (!bound && place !== 'current' && !repeats) return 'reuse';
  if (request.surplus === true) return 'surplus';
  return repeats ? 'repeat' : 'rotate';
}

/** Whether a request that has proved the key `jkt` with DPoP has proved that of the session. */
export function provesDpopKey({ deviceKey }: SessionState, jkt: string | null): boolean {
  return deviceKey?.kind === 'dpop' && deviceKey.jkt === jkt;
}

/**
 * Whether a refresh needs the proof of the session's key. One that a browser has registered counts
 * once the browser has used it: before, the answer to its registration may have been lost.
 */
export function isBound({
  deviceKey,
  deviceKeyConfirmedAt,
}: Pick<SessionState, 'deviceKey' | 'deviceKeyConfirmedAt'>): boolean {
  return deviceKey !== null && (deviceKey.kind === 'dpop' || deviceKeyConfirmedAt !== null);
}

/**
 * When a session ends by its absolute life: the one it started with or the one configured now,
 * whichever is shorter. A session that never refreshes makes no token any more and keeps its own.
 */
export function sessionEndsAt(state: SessionState, sessionTtlSeconds: number | undefined): number {
  if (sessionTtlSeconds === undefined || state.secretHash === null) return state.expiresAt;
  return Math.min(state.expiresAt, state.startedAt + sessionTtlSeconds * 1000);
}

type ClockAt = Pick<RefreshRequest, 'now' | 'idleSeconds' | 'sessionTtlSeconds'>;

/** Whether the clock has ended a live session, be that recorded or not. */
export function isOver(state: SessionState, clock: ClockAt): boolean {
  return expiryCause(state, clock) !== null;
}

/**
 * Why the clock has ended a live session, or null. The instant of its end is already too late.
 */
export function expiryCause(
  state: SessionState,
  { now, idleSeconds, sessionTtlSeconds }: ClockAt,
): 'absolute' | 'idle' | null {
  if (now >= sessionEndsAt(state, sessionTtlSeconds)) return 'absolute';
  if (idleSeconds > 0 && now >= state.refreshedAt + idleSeconds * 1000) return 'idle';
  return null;
}

/**
 * The secret of the current generation, derived again from the one whose hash is `parentHash`.
 * `state.salt` was drawn at the rotation that made the current generation, so this is the very
 * secret that the first answer carried.
 */
export function repeatedSuccessor(
  state: SessionState,
  sessionId: string,
  parentSecret: Buffer,
): Buffer {
  if (state.salt === null) throw new Error('a repeated session has a salt');
  const secret = deriveSuccessorSecret(parentSecret, state.salt, sessionId, state.generation);
  if (sha256(secret) !== state.secretHash) {
    throw new Error('the parent does not derive the current secret');
  }
  return secret;
}

/**
 * Of an older generation no hash is kept: its MAC, checked before, is what says that it was ours.
 * In a bound session an older one may have become the parent, and the one before the current one
 * is then like any older one.
 */
function placeOf(
  state: SessionState,
  presented: PresentedRefreshToken,
  bound: boolean,
): 'current' | 'parent' | 'older' | 'ahead' | 'mismatch' {
  if (state.secretHash === null) return 'mismatch';
  if (presented.generation > state.generation) return 'ahead';
  if (presented.generation === state.generation) {
    return presented.secretHash === state.secretHash ? 'current' : 'mismatch';
  }
  const isParent = presented.secretHash === state.parentHash;
  // Step-ups may stand between the two: no refresh token has one of their numbers.
  if (isParent) return 'parent';
  return bound || presented.generation < state.generation - 1 ? 'older' : 'mismatch';
}

function mayRepeat(state: SessionState, request: RefreshRequest): boolean {
  if (request.now <= state.refreshedAt + request.graceSeconds * 1000) return true;
  return (
    request.idempotencyKeyHash !== null && request.idempotencyKeyHash === state.idempotencyKeyHash
  );
}
