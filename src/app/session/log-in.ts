import { randomBytes } from 'node:crypto';
import type { DeviceType } from '@latchkey/contract/device-type';
import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { slotOf } from '../../domain/kernel/ids.ts';
import { sha256 } from '../../domain/kernel/sha256.ts';
import { requireRoomForAudiences } from '../../domain/kernel/token-room.ts';
import { sessionsToSupersede } from '../../domain/session/device-policy.ts';
import { lifetimesFor } from '../../domain/session/lifetimes.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { ProvenKey } from '../../node/dpop-proofs.ts';
import type { PayTry } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import type { UnusedSessionKey } from '../../node/session-key-pool.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import type { Change } from '../../tables/change.ts';
import type { DeviceToken } from '../../tables/device-token.ts';
import type { SessionRecord } from '../../tables/session.ts';
import { sessionKeyRows } from '../../tables/session-key.ts';
import { passwordRows, type UserForCommand } from '../../tables/user.ts';
import { append, refuse } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { authenticateClient } from '../client/authenticate-client.ts';
import { findUserWithSessions, guarded } from '../guard.ts';
import { PersonalData } from '../personal-data.ts';
import { changeUser } from '../user/change-user.ts';
import { findUserByEmail } from '../user/find-user-by-email.ts';
import { goesFirst, knownDevice, presentedDevice, rememberDevice } from '../user/known-device.ts';
import { presentedPassword } from '../user/presented-password.ts';
import { changeSession } from './change-session.ts';
import { signingKeyOfLogin, signingOf } from './signing-key-for.ts';
import { type IssuedTokens, issueTokens } from './token-set.ts';
import { deviceKeyOf, onceOnly, usedUp } from './used-proof.ts';

export interface LogInInput {
  readonly email: string;
  readonly password: string;
  readonly device: { readonly type: DeviceType; readonly name: string };
  readonly transport: 'body' | 'cookie';
  readonly clientId: string | null;
  readonly clientSecret: string | null;
  /** The audiences that the caller asks for; null asks for the default. */
  readonly audience: readonly string[] | null;
  /** What an earlier login of this device was given; null for a stranger. */
  readonly deviceToken: string | null;
  /** The key that the request has proved: the session is bound to it. */
  readonly key: ProvenKey | null;
  /** Called before the password is compared, unless a known device asks. */
  readonly payTry: PayTry;
}

/**
 * Checks the password, then starts a session and ends those that the device policy supersedes, in
 * one transaction that is guarded by the user: of two logins at once, one sees the other.
 * Everything costs the same whether or not the identifier is known. Raises `invalid_credentials`,
 * `invalid_client`, `forbidden` (a third party), `invalid_request` (audience), `invalid_dpop_proof`
 * (a proof that another node has taken), `unavailable`.
 */
export async function logIn(node: Node, input: LogInInput, by: By): Promise<IssuedTokens> {
  const audience = grantedAudience(node, input);
  const { known, device } = await node.loginLookups.run(turnOf(by), async () => {
    const user = await findUserByEmail(node, input.email);
    const token =
      user && (await presentedDevice(node.cells.of(user.userId).readers, user, input.deviceToken));
    return { known: user, device: token };
  });
  const preferred = known !== null && goesFirst(known.state, device, node.now());
  const turn = { ...turnOf(by), preferred };
  const { password, hash } = presentedPassword(input.password, known?.passwordHash ?? null);
  const check = await node.hasher.verify(hash, password, {
    ...turn,
    // A known device has its own count of failures: what strangers beside it spent is not asked.
    ...(preferred ? {} : { onBegin: input.payTry }),
  });
  if (known === null) {
    // No event: a stranger must not be able to grow the log.
    node.metrics.logins.inc({ outcome: 'refused', reason: 'unknown_identifier' });
    throw new LatchkeyError('invalid_credentials', { detail: 'unknown identifier' });
  }
  const rehashed = check.needsRehash ? await node.hasher.hash(password, turn) : null;
  let paid = false;
  const pay = async () => {
    if (!paid) await node.rateLimits.take('login_success', { userId: known.userId });
    paid = true;
  };
  let drawn: Promise<UnusedSessionKey> | null = null;
  const drawKey = async () => {
    const { clientId, device: at } = input;
    if (signingOf(node, { clientId, deviceType: at.type }) === 'issuer') return null;
    drawn ??= node.sessionKeys.pool.take();
    return drawn;
  };
  try {
    return await onceOnly(() =>
      node.cells
        .of(known.userId)
        .handler.run(known.userId, () =>
          attempt(
            node,
            input,
            { known, audience, device, matches: check.matches, rehashed, pay, drawKey },
            by,
          ),
        ),
    );
  } catch (error) {
    // The password changed during the check: the answer is that of any wrong password.
    if (!(error instanceof LatchkeyError) || error.code !== 'conflict') throw error;
    throw new LatchkeyError('invalid_credentials', { cause: error, detail: error.detail ?? '' });
  }
}

interface Checked {
  readonly known: UserForCommand;
  readonly audience: readonly string[];
  readonly device: DeviceToken | null;
  readonly matches: boolean;
  readonly rehashed: string | null;
  /** Once for all attempts of one login. */
  readonly pay: () => Promise<void>;
  /** The same key for all attempts of one login, of which one at most is committed. */
  readonly drawKey: () => Promise<UnusedSessionKey | null>;
}

async function attempt(
  node: Node,
  input: LogInInput,
  { known, audience, device, matches, rehashed, pay, drawKey }: Checked,
  by: By,
): Promise<Attempt<IssuedTokens>> {
  const { cells, metrics } = node;
  const now = node.now();
  const [user, live] = await findUserWithSessions(cells.of(known.userId).readers, known.userId);
  if (user === null) throw new LatchkeyError('invalid_credentials', { detail: 'user is gone' });
  const personal = await PersonalData.of(node.subjectKeys, user.userId, user.subjectKey);
  const checked = changeUser(user.userId, user, {
    type: 'CheckPassword',
    now,
    matches,
    comparedWith: known.state.passwordChangedAt,
    device: knownDevice(device),
    pii: personal.sealPlace(by),
  });
  if (checked.refusal !== undefined) {
    return refuse(by, checked, 'password does not match', () =>
      metrics.logins.inc({ outcome: 'refused', reason: 'password' }),
    );
  }
  // Not before it is certain that the login succeeds: a refusal here must not tell of a password.
  await pay();
  const sessionId = newId(slotOf(user.userId));
  const key = await drawKey();
  const signingKey = signingKeyOfLogin(node, key, checked.state.roles);
  const newcomer = { now, sessionId, audience, user, personal, key };
  const { secret, started } = start(node, input, newcomer, by);
  const ended = supersede(node, live, input, { now, sessionId, personal });
  const remembered = rememberDevice(user.userId, checked.state, device, now);
  const proven: By = { ...by, actor: { type: 'user', id: user.userId } };
  return append(
    proven,
    [
      guarded(user, checked),
      started,
      { rows: key === null ? {} : sessionKeyRows(key.sessionKey.kid, key.wrapped) },
      { rows: passwordRows(user.userId, checked.state, rehashed) },
      { rows: remembered.rows },
      usedUp(input.key),
      ...ended,
    ],
    () => {
      metrics.logins.inc({ outcome: 'accepted', reason: input.device.type });
      if (key !== null) node.sessionKeys.bind(sessionId, key);
      return issueTokens(node, {
        sessionId,
        session: started.state,
        signingKey,
        userId: user.userId,
        user: checked.state,
        personal,
        secret,
        deviceToken: remembered.deviceToken,
      });
    },
  );
}

interface Newcomer {
  readonly now: number;
  readonly sessionId: string;
  readonly audience: readonly string[];
  readonly user: UserForCommand;
  readonly personal: PersonalData;
  readonly key: UnusedSessionKey | null;
}

/** The new session, and the secret of its refresh token if it has one. */
function start(
  { config }: Node,
  input: LogInInput,
  { now, sessionId, audience, user, personal, key }: Newcomer,
  by: By,
): { secret: Buffer | null; started: Change<SessionRecord['state']> } {
  const lifetimes = lifetimesFor(input.device.type, config.lifetimes);
  const secret = lifetimes.refreshable ? randomBytes(32) : null;
  const started = changeSession(sessionId, null, {
    type: 'StartSession',
    now,
    userId: user.userId,
    clientId: input.clientId,
    deviceType: input.device.type,
    amr: ['pwd'],
    audience,
    scope: '',
    transport: input.transport,
    lifetimes,
    secretHash: secret === null ? null : sha256(secret),
    salt: secret === null ? null : randomBytes(16).toString('base64url'),
    pii: personal.seal({
      ip: by.address ?? '',
      user_agent: by.userAgent ?? '',
      device_name: input.device.name,
    }),
    ...(input.key === null ? {} : { deviceKey: deviceKeyOf(input.key) }),
    ...(key === null ? {} : { sessionKey: key.sessionKey }),
  });
  return { secret, started };
}

function supersede(
  node: Node,
  live: readonly SessionRecord[],
  input: LogInInput,
  newcomer: Pick<Newcomer, 'now' | 'sessionId' | 'personal'>,
): Change<SessionRecord['state']>[] {
  const { config } = node;
  const ids = sessionsToSupersede(
    config.devicePolicies[input.device.type],
    config.sessions.perUserMax,
    live.map(({ sessionId, state }) => ({
      sessionId,
      deviceType: state.deviceType,
      startedAt: state.startedAt,
    })),
    input.device.type,
  );
  const pii = newcomer.personal.seal({ device_name: input.device.name });
  return ids.map((id) =>
    changeSession(id, live.find(({ sessionId }) => sessionId === id)!, {
      type: 'RevokeSession',
      now: newcomer.now,
      reason: 'superseded',
      supersededBy: newcomer.sessionId,
      pii,
    }),
  );
}

/**
 * The audiences asked for, and nothing else, if the client may have them all; decided before the
 * identifier is looked at. The password grant is for our own clients only (RFC 9700 section 2.4).
 */
function grantedAudience(node: Node, input: LogInInput): readonly string[] {
  const { config, memory } = node;
  const client =
    input.clientId === null
      ? null
      : authenticateClient(memory, {
          clientId: input.clientId,
          clientSecret: input.clientSecret,
        });
  if (client !== null && !client.firstParty) {
    throw new LatchkeyError('forbidden', { detail: 'a third party logs nobody in by password' });
  }
  const { defaultAudience, issuer } = config.tokens;
  const allowed = client?.audiences ?? [defaultAudience, issuer];
  const wanted = input.audience ?? [client?.audiences[0] ?? defaultAudience];
  if (!wanted.every((audience) => allowed.includes(audience))) {
    throw invalidField('audience', 'not an audience that this client may request');
  }
  const audience = [...new Set(wanted)];
  requireRoomForAudiences(audience);
  return audience;
}
