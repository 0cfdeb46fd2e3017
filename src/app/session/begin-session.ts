import { randomBytes } from 'node:crypto';
import { slotOf } from '../../domain/kernel/ids.ts';
import { sha256 } from '../../domain/kernel/sha256.ts';
import { sessionsToSupersede } from '../../domain/session/device-policy.ts';
import { lifetimesFor } from '../../domain/session/lifetimes.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { Node } from '../../node/node.ts';
import type { UnusedSessionKey } from '../../node/session-key-pool.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import type { Change } from '../../tables/change.ts';
import type { DeviceToken } from '../../tables/device-token.ts';
import type { SessionRecord } from '../../tables/session.ts';
import { sessionKeyRows } from '../../tables/session-key.ts';
import type { Part } from '../append.ts';
import type { By } from '../by.ts';
import type { PersonalData } from '../personal-data.ts';
import { rememberDevice } from '../user/known-device.ts';
import { changeSession } from './change-session.ts';
import type { LoginRequest } from './login-request.ts';
import { signingKeyOfLogin, signingOf } from './signing-key-for.ts';
import { type IssuedTokens, issueTokens } from './token-set.ts';
import { deviceKeyOf, usedUp } from './used-proof.ts';

/** What one login spends, however often it decides. */
export interface LoginExpenses {
  /** Takes the login from the user's budget. Raises `rate_limited`. */
  readonly pay: () => Promise<void>;
  /** The session's own key, of which one attempt at most is committed; null: the issuer's signs. */
  readonly drawKey: () => Promise<UnusedSessionKey | null>;
}

export function expensesOf(node: Node, userId: string, request: LoginRequest): LoginExpenses {
  let paid = false;
  let drawn: Promise<UnusedSessionKey> | null = null;
  return {
    async pay() {
      if (!paid) await node.rateLimits.take('login_success', { userId });
      paid = true;
    },
    async drawKey() {
      const { clientId, device } = request;
      if (signingOf(node, { clientId, deviceType: device.type }) === 'issuer') return null;
      drawn ??= node.sessionKeys.pool.take();
      return drawn;
    },
  };
}

/** Somebody whose last factor has just been accepted. */
export interface Newcomer {
  readonly now: number;
  readonly userId: string;
  /** After the events that accepted the last factor. */
  readonly state: UserState;
  /** As read before this command; those that it ends by itself are left out. */
  readonly live: readonly SessionRecord[];
  readonly personal: PersonalData;
  /** How the user proved to be the user (RFC 8176). */
  readonly amr: readonly string[];
  readonly audience: readonly string[];
  readonly device: DeviceToken | null;
  readonly expenses: LoginExpenses;
}

/** What to append, beside the guarded user, so that the session begins; and then the answer. */
export interface BegunSession {
  readonly parts: readonly Part[];
  readonly answer: () => Promise<IssuedTokens>;
}

/**
 * Begins a session and ends those that the device policy supersedes. The caller appends it under the
 * user's guard: of two logins at once, one sees the other. Raises `rate_limited`, `unavailable`.
 */
export async function beginSession(
  node: Node,
  request: LoginRequest,
  newcomer: Newcomer,
  by: By,
): Promise<BegunSession> {
  const { now, userId, state, personal, expenses } = newcomer;
  // Not before it is certain that the login succeeds: a refusal here must not tell of a factor.
  await expenses.pay();
  const sessionId = newId(slotOf(userId));
  const key = await expenses.drawKey();
  const signingKey = signingKeyOfLogin(node, key, state.roles);
  const { secret, started } = start(node, request, { ...newcomer, sessionId, key }, by);
  const remembered = rememberDevice(userId, state, newcomer.device, now);
  return {
    parts: [
      started,
      { rows: key === null ? {} : sessionKeyRows(key.sessionKey.kid, key.wrapped) },
      { rows: remembered.rows },
      usedUp(request.key),
      ...supersede(node, request, { ...newcomer, sessionId }),
    ],
    answer: () => {
      node.metrics.logins.inc({ outcome: 'accepted', reason: request.device.type });
      if (key !== null) node.sessionKeys.bind(sessionId, key);
      return issueTokens(node, {
        sessionId,
        session: started.state,
        signingKey,
        userId,
        user: state,
        personal,
        secret,
        deviceToken: remembered.deviceToken,
      });
    },
  };
}

interface Named extends Newcomer {
  readonly sessionId: string;
}

/** The new session, and the secret of its refresh token if it has one. */
function start(
  { config }: Node,
  request: LoginRequest,
  {
    now,
    sessionId,
    audience,
    userId,
    personal,
    amr,
    key,
  }: Named & { key: UnusedSessionKey | null },
  by: By,
): { secret: Buffer | null; started: Change<SessionRecord['state']> } {
  const lifetimes = lifetimesFor(request.device.type, config.lifetimes);
  const secret = lifetimes.refreshable ? randomBytes(32) : null;
  const started = changeSession(sessionId, null, {
    type: 'StartSession',
    now,
    userId,
    clientId: request.clientId,
    deviceType: request.device.type,
    amr,
    audience,
    scope: '',
    transport: request.transport,
    lifetimes,
    secretHash: secret === null ? null : sha256(secret),
    salt: secret === null ? null : randomBytes(16).toString('base64url'),
    pii: personal.seal({
      ip: by.address ?? '',
      user_agent: by.userAgent ?? '',
      device_name: request.device.name,
    }),
    ...(request.key === null ? {} : { deviceKey: deviceKeyOf(request.key) }),
    ...(key === null ? {} : { sessionKey: key.sessionKey }),
  });
  return { secret, started };
}

function supersede(
  { config }: Node,
  { device }: LoginRequest,
  { live, now, sessionId, personal }: Named,
): Change<SessionRecord['state']>[] {
  const ids = sessionsToSupersede(
    config.devicePolicies[device.type],
    config.sessions.perUserMax,
    live.map((session) => ({
      sessionId: session.sessionId,
      deviceType: session.state.deviceType,
      startedAt: session.state.startedAt,
    })),
    device.type,
  );
  const pii = personal.seal({ device_name: device.name });
  return ids.map((id) =>
    changeSession(id, live.find((session) => session.sessionId === id)!, {
      type: 'RevokeSession',
      now,
      reason: 'superseded',
      supersededBy: sessionId,
      pii,
    }),
  );
}
