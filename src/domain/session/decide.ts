import type { DeviceType } from '@latchkey/contract/device-type';
import { accept, type Decider, type Decision, refuse } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { requireRoomForAudiences } from '../kernel/token-room.ts';
import type { DeviceKey } from './device-key.ts';
import type { RevocationReason, SessionEvent } from './events.ts';
import type { Lifetimes, SessionClock } from './lifetimes.ts';
import {
  expiryCause,
  isBound,
  isOver,
  planRefresh,
  type RefreshRequest,
  sessionEndsAt,
} from './rotation.ts';
import type { SessionKey } from './session-key.ts';
import { evolveSession, initialSession, newestGeneration, type SessionState } from './state.ts';
import { type StepUpSession, stepUp } from './step-up.ts';

/** `secretHash` and `salt` are null exactly where `lifetimes.refreshable` is false. */
export interface StartSession {
  readonly type: 'StartSession';
  readonly now: number;
  readonly userId: string;
  readonly clientId: string | null;
  readonly deviceType: DeviceType;
  readonly amr: readonly string[];
  readonly audience: readonly string[];
  readonly scope: string;
  readonly transport: 'body' | 'cookie';
  readonly lifetimes: Lifetimes;
  readonly secretHash: string | null;
  readonly salt: string | null;
  /** Null: of a client for itself, which is no person. */
  readonly pii: Uint8Array | null;
  /** Absent: the issuer's key signs. */
  readonly sessionKey?: SessionKey;
  /** The key that the login proved to hold; without it the session is not bound. */
  readonly deviceKey?: DeviceKey;
}

/** Binds a session in cookie mode that has started without a key. */
export interface BindDeviceKey extends SessionClock {
  readonly type: 'BindDeviceKey';
  readonly now: number;
  readonly deviceKey: DeviceKey;
}

/**
 * `successor.secretHash` is that of `deriveSuccessorSecret(presented, newSalt, session id,
 * newestGeneration(state) + 1)`.
 */
export interface RefreshSession extends RefreshRequest {
  readonly type: 'RefreshSession';
  readonly successor: { readonly secretHash: string };
  readonly newSalt: string;
  readonly accessTokenTtlSeconds: number;
  /** Where the token came from; recorded when `moved` and when it is a reuse. */
  readonly pii: Uint8Array;
  /** Whether that differs from where the session was last seen. */
  readonly moved: boolean;
  /** With `surplus`: the newest session, and the sealed name of its device. */
  readonly supersededBy?: string;
  readonly newcomerPii?: Uint8Array;
}

/** `pii` is the newcomer's device name, when superseded. */
export interface RevokeSession {
  readonly type: 'RevokeSession';
  readonly now: number;
  readonly reason: RevocationReason;
  readonly supersededBy?: string;
  readonly pii?: Uint8Array;
}

export interface ExpireSession {
  readonly type: 'ExpireSession';
  readonly now: number;
  readonly idleSeconds: number;
  /** The absolute life that is configured now; none: what the session started with. */
  readonly sessionTtlSeconds?: number;
}

export type SessionCommand =
  | StartSession
  | BindDeviceKey
  | RefreshSession
  | StepUpSession
  | RevokeSession
  | ExpireSession;

/**
 * Throws `invalid_token`, `invalid_dpop_proof`, `device_proof_required`, `session_ended`,
 * `session_superseded` (both with `ended_at`, epoch ms), `conflict` (the session is bound to another
 * key, or is not in cookie mode), `not_found`.
 */
export const sessionDecider: Decider<SessionState, SessionCommand, SessionEvent> = {
  initialState: initialSession,
  evolve: evolveSession,
  decide: decideSession,
};

function decideSession(state: SessionState, command: SessionCommand): Decision<SessionEvent> {
  switch (command.type) {
    case 'StartSession':
      return start(state, command);
    case 'BindDeviceKey':
      return bind(state, command);
    case 'RefreshSession':
      return refresh(state, command);
    case 'StepUpSession':
      return stepUp(state, command);
    case 'RevokeSession':
      return revoke(state, command);
    case 'ExpireSession':
      return expire(state, command);
  }
}

function start(state: SessionState, command: StartSession): Decision<SessionEvent> {
  const { lifetimes, now, secretHash, salt, sessionKey } = command;
  if (state.status !== 'none') throw new Error('a session starts once');
  if (
    (secretHash !== null) !== lifetimes.refreshable ||
    (salt !== null) !== lifetimes.refreshable
  ) {
    throw new Error('a refreshable session, and no other, has a secret and a salt');
  }
  requireRoomForAudiences(command.audience);
  if (command.scope.length > limits.tokenScopeCharactersMax) {
    throw new Error('a scope that fits into no token was granted');
  }
  const { accessTokenTtlSeconds } = lifetimes;
  const sessionTtlSeconds = lifetimes.refreshable
    ? lifetimes.sessionTtlSeconds
    : accessTokenTtlSeconds;
  return accept({
    type: 'SessionStarted',
    data: {
      userId: command.userId,
      clientId: command.clientId,
      deviceType: command.deviceType,
      amr: [...command.amr],
      audience: [...command.audience],
      scope: command.scope,
      transport: command.transport,
      at: now,
      expiresAt: now + sessionTtlSeconds * 1000,
      accessTokenTtlSeconds: Math.min(accessTokenTtlSeconds, sessionTtlSeconds),
      secretHash,
      salt,
      ...(command.deviceKey === undefined ? {} : { deviceKey: command.deviceKey }),
      ...(sessionKey === undefined ? {} : { sessionKey: eventKey(sessionKey) }),
    },
    ...(command.pii === null ? {} : { pii: command.pii }),
  });
}

/** A session is bound once; the same key again changes nothing, as a lost answer is asked again. */
function bind(state: SessionState, command: BindDeviceKey): Decision<SessionEvent> {
  if (state.status === 'none') throw new LatchkeyError('not_found');
  if (state.status === 'ended') {
    throw new LatchkeyError('session_ended', { facts: { ended_at: state.endedAt! } });
  }
  if (isOver(state, command)) return { ...expire(state, command), refusal: 'session_ended' };
  if (state.transport !== 'cookie') {
    throw new LatchkeyError('conflict', { detail: 'the session is not in cookie mode' });
  }
  const { deviceKey } = state;
  if (deviceKey === null) {
    const data = { at: command.now, deviceKey: command.deviceKey };
    return accept({ type: 'DeviceKeyBound', data });
  }
  const { kind, jkt } = command.deviceKey;
  if (deviceKey.kind === kind && deviceKey.jkt === jkt) return accept();
  throw new LatchkeyError('conflict', { detail: 'the session is bound to another key' });
}

function eventKey({ kid, jwk }: SessionKey) {
  return { kid, jwk: { ...jwk } };
}

function refresh(state: SessionState, command: RefreshSession): Decision<SessionEvent> {
  const plan = planRefresh(state, command);
  switch (plan) {
    case 'rotate':
      return rotate(state, command);
    case 'repeat':
      return accept(...confirmation(state, command));
    case 'reuse':
      return refuse(
        'session_ended',
        {
          type: 'RefreshTokenReuseDetected',
          data: {
            at: command.now,
            generation: command.presented.generation,
            currentGeneration: state.generation,
          },
          pii: command.pii,
        },
        { type: 'SessionRevoked', data: { at: command.now, reason: 'reuse_detected' } },
      );
    case 'surplus':
      return refuse('session_superseded', revoked(command, 'superseded', command.newcomerPii));
    case 'expired':
      return { ...expire(state, command), refusal: 'session_ended' };
    case 'ended':
    case 'superseded':
      throw new LatchkeyError(plan === 'superseded' ? 'session_superseded' : 'session_ended', {
        facts: { ended_at: state.endedAt! },
      });
    case 'unproven':
      throw new LatchkeyError(
        state.deviceKey?.kind === 'dpop' ? 'invalid_dpop_proof' : 'device_proof_required',
        { detail: 'a bound session, and no proof of its key' },
      );
    case 'unknown':
    case 'ahead':
    case 'mismatch':
      throw new LatchkeyError('invalid_token', { detail: `refresh token: ${plan}` });
  }
}

function rotate(state: SessionState, command: RefreshSession): Decision<SessionEvent> {
  const endsAt = sessionEndsAt(state, command.sessionTtlSeconds);
  const remainingSeconds = Math.floor((endsAt - command.now) / 1000);
  const { secretHash } = command.presented;
  const refreshed: SessionEvent = {
    type: 'SessionRefreshed',
    data: {
      at: command.now,
      generation: newestGeneration(state) + 1,
      secretHash: command.successor.secretHash,
      salt: command.newSalt,
      accessTokenTtlSeconds: Math.min(command.accessTokenTtlSeconds, remainingSeconds),
      idempotencyKeyHash: command.idempotencyKeyHash,
      ...(secretHash === state.secretHash ? {} : { parentHash: secretHash }),
    },
    ...(command.moved ? { pii: command.pii } : {}),
  };
  return accept(refreshed, ...confirmation(state, command));
}

/** A repeat confirms too, or a thief who rotates first would stay ahead of the key's holder. */
function confirmation(state: SessionState, { now, keyProven }: RefreshSession): SessionEvent[] {
  if (!keyProven || state.deviceKey === null || isBound(state)) return [];
  return [{ type: 'DeviceKeyConfirmed', data: { at: now } }];
}

function revoke(state: SessionState, command: RevokeSession): Decision<SessionEvent> {
  if (state.status === 'none') throw new LatchkeyError('not_found');
  if (state.status === 'ended') return accept();
  const clock = { now: command.now, idleSeconds: 0 };
  if (isOver(state, clock)) return expire(state, clock);
  return accept(revoked(command, command.reason, command.pii));
}

function revoked(
  { now, supersededBy }: Pick<RevokeSession, 'now' | 'supersededBy'>,
  reason: RevocationReason,
  pii: Uint8Array | undefined,
): SessionEvent {
  return {
    type: 'SessionRevoked',
    data: { at: now, reason, ...(supersededBy === undefined ? {} : { supersededBy }) },
    ...(pii === undefined ? {} : { pii }),
  };
}

function expire(
  state: SessionState,
  clock: Parameters<typeof expiryCause>[1],
): Decision<SessionEvent> {
  if (state.status !== 'live') return accept();
  const cause = expiryCause(state, clock);
  if (cause === null) return accept();
  return accept({ type: 'SessionExpired', data: { at: clock.now, cause } });
}
