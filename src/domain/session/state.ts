import type { DeviceType } from '@latchkey/contract/device-type';
import type { DeviceKey } from './device-key.ts';
import type {
  RevocationReason,
  SessionEvent,
  SessionRefreshed,
  SessionStarted,
  SessionSteppedUp,
} from './events.ts';
import type { SessionKey } from './session-key.ts';

/** The folded session, which is also its row. Times are epoch milliseconds. */
export interface SessionState {
  readonly status: 'none' | 'live' | 'ended';
  /** Also the `sub` of its tokens: a user's id, or the client's own (`isOfClientItself`). */
  readonly userId: string;
  readonly clientId: string | null;
  readonly deviceType: DeviceType;
  readonly amr: readonly string[];
  readonly audience: readonly string[];
  readonly scope: string;
  readonly transport: 'body' | 'cookie';
  readonly startedAt: number;
  readonly refreshedAt: number;
  readonly expiresAt: number;
  /** Of the refresh token, and of the access tokens that it yields. */
  readonly generation: number;
  /** How many tokens step-ups have made since; null: none. Their numbers follow `generation`. */
  readonly stepUps: number | null;
  /** SHA-256 of the current secret; null for a session without a refresh token. */
  readonly secretHash: string | null;
  /**
   * SHA-256 of the secret that the current one derives from, and the salt of that derivation. It is
   * the immediate parent's, but in a bound session that was refreshed with an older token.
   */
  readonly parentHash: string | null;
  readonly salt: string | null;
  readonly idempotencyKeyHash: string | null;
  /** No access token of this session outlives this. */
  readonly accessExpiresAt: number;
  /**
   * Generations below this have expired; `tokensMark…` is the next value and when it may be taken.
   */
  readonly tokensFromGeneration: number;
  readonly tokensMarkGeneration: number;
  readonly tokensMarkUntil: number;
  readonly endedAt: number | null;
  readonly endReason: RevocationReason | 'expired' | null;
  readonly pii: Uint8Array | null;
  /** Ciphertext of the newcomer's device name, when superseded. */
  readonly endPii: Uint8Array | null;
  /** Null: the session is not bound to a key. */
  readonly deviceKey: DeviceKey | null;
  /** When the browser first proved a key of kind `dbsc` at a refresh, which then binds. */
  readonly deviceKeyConfirmedAt: number | null;
  /** Of a live session that has a key of its own. */
  readonly sessionKey: SessionKey | null;
}

export const initialSession: SessionState = {
  status: 'none',
  userId: '',
  clientId: null,
  deviceType: 'web',
  amr: [],
  audience: [],
  scope: '',
  transport: 'body',
  startedAt: 0,
  refreshedAt: 0,
  expiresAt: 0,
  generation: 0,
  stepUps: null,
  secretHash: null,
  parentHash: null,
  salt: null,
  idempotencyKeyHash: null,
  accessExpiresAt: 0,
  tokensFromGeneration: 0,
  tokensMarkGeneration: 0,
  tokensMarkUntil: 0,
  endedAt: null,
  endReason: null,
  pii: null,
  endPii: null,
  deviceKey: null,
  deviceKeyConfirmedAt: null,
  sessionKey: null,
};

/**
 * Whether a client has the session for itself (`client_credentials`). No user has the id of a
 * client: each id names one stream, of one kind.
 */
export function isOfClientItself({
  userId,
  clientId,
}: Pick<SessionState, 'userId' | 'clientId'>): boolean {
  return userId === clientId;
}

export function evolveSession(state: SessionState, event: SessionEvent): SessionState {
  switch (event.type) {
    case 'SessionStarted':
      return started(event);
    case 'DeviceKeyBound':
      return { ...state, deviceKey: event.data.deviceKey };
    case 'DeviceKeyConfirmed':
      return { ...state, deviceKeyConfirmedAt: event.data.at };
    case 'SessionRefreshed': {
      const { data } = event;
      return {
        ...withToken(state, data),
        generation: data.generation,
        stepUps: null,
        parentHash: data.parentHash ?? state.secretHash,
        secretHash: data.secretHash,
        salt: data.salt,
        idempotencyKeyHash: data.idempotencyKeyHash,
        refreshedAt: data.at,
        pii: event.pii ?? state.pii,
      };
    }
    case 'SessionSteppedUp': {
      const stepUps = event.data.generation - state.generation;
      return { ...withToken(state, event.data), stepUps };
    }
    case 'RefreshTokenReuseDetected':
      return state;
    case 'SessionRevoked':
      return {
        ...state,
        status: 'ended',
        endedAt: event.data.at,
        endReason: event.data.reason,
        endPii: event.pii ?? null,
        pii: event.data.reason === 'user_erased' ? null : state.pii,
        sessionKey: null,
      };
    case 'SessionExpired':
      return {
        ...state,
        status: 'ended',
        endedAt: event.data.at,
        endReason: 'expired',
        sessionKey: null,
      };
  }
}

/** The number of the newest access token: the last of `jti`. */
export function newestGeneration({
  generation,
  stepUps,
}: Pick<SessionState, 'generation' | 'stepUps'>): number {
  return generation + (stepUps ?? 0);
}

/** The state with what a new access token, of the next generation, makes of its bounds. */
function withToken(
  state: SessionState,
  { at, generation, accessTokenTtlSeconds }: (SessionRefreshed | SessionSteppedUp)['data'],
): SessionState {
  const accessExpiresAt = Math.max(state.accessExpiresAt, at + accessTokenTtlSeconds * 1000);
  if (at < state.tokensMarkUntil) return { ...state, accessExpiresAt };
  return {
    ...state,
    accessExpiresAt,
    tokensFromGeneration: state.tokensMarkGeneration,
    tokensMarkGeneration: generation,
    tokensMarkUntil: accessExpiresAt,
  };
}

function started({ data, pii }: SessionStarted): SessionState {
  const accessExpiresAt = data.at + data.accessTokenTtlSeconds * 1000;
  return {
    ...initialSession,
    status: 'live',
    userId: data.userId,
    clientId: data.clientId,
    deviceType: data.deviceType,
    amr: data.amr,
    audience: data.audience,
    scope: data.scope,
    transport: data.transport,
    startedAt: data.at,
    refreshedAt: data.at,
    expiresAt: data.expiresAt,
    generation: 1,
    secretHash: data.secretHash,
    salt: data.salt,
    accessExpiresAt,
    tokensFromGeneration: 1,
    tokensMarkGeneration: 1,
    tokensMarkUntil: accessExpiresAt,
    pii: pii ?? null,
    deviceKey: data.deviceKey ?? null,
    sessionKey: data.sessionKey ?? null,
  };
}
