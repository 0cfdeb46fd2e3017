import { randomBytes } from 'node:crypto';
import type { DeviceType } from '@latchkey/contract/device-type';
import type { RequestContext } from '../../api/http/request-context.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { requireRoomForAudiences } from '../../domain/kernel/token-room.ts';
import { sessionsToSupersede } from '../../domain/session/device-policy.ts';
import { lifetimesFor } from '../../domain/session/lifetimes.ts';
import { hashSecret } from '../../domain/session/refresh-token.ts';
import type { StreamTouch } from '../../eventlog/command.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { PayTry } from '../../node/failure-budget.ts';
import type { Services } from '../../node/services.ts';
import { networkOf } from '../../platform/client-address.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { type Change, changeSession, changeUser, mergeRows } from '../../tables/change.ts';
import type { DeviceToken } from '../../tables/device-token.ts';
import type { SessionRecord } from '../../tables/session.ts';
import { passwordRows, type UserForCommand } from '../../tables/user.ts';
import { metaOf } from '../actor.ts';
import { authenticateClient } from '../client/authenticate-client.ts';
import { findUserWithSessions, guardUser } from '../guard.ts';
import { PersonalData } from '../personal-data.ts';
import { findUserByEmail } from '../user/find-user-by-email.ts';
import { goesFirst, knownDevice, presentedDevice, rememberDevice } from '../user/known-device.ts';
import { type IssuedTokens, issueTokens } from './token-set.ts';

export interface LogInInput {
  readonly email: string;
  readonly password: string;
  readonly device: { readonly type: DeviceType; readonly name: string };
  readonly transport: 'body' | 'cookie';
  readonly clientId: string | null;
  readonly clientSecret: string | null;
  /** Wanted; null for the default. */
  readonly audience: readonly string[] | null;
  /** What an earlier login of this device was given; null for a stranger. */
  readonly deviceToken: string | null;
}

/**
 * Checks the password, then starts a session and ends those that the device policy supersedes, in
 * one transaction that is guarded by the user: of two logins at once, one sees the other.
 * Everything costs the same whether or not the identifier is known. `payTry` is called before the
 * password is compared, unless a known device asks. Raises `invalid_credentials`,
 * `invalid_client`, `forbidden` (a third party), `invalid_request` (audience), `unavailable`.
 */
export async function logIn(
  services: Services,
  input: LogInInput,
  context: RequestContext,
  payTry: PayTry,
): Promise<IssuedTokens> {
  const audience = grantedAudience(services, input);
  const password = input.password.normalize('NFC');
  const group = networkOf(context.clientAddress);
  const { known, device } = await services.loginLookups.run({ group }, async () => {
    const user = await findUserByEmail(services, input.email);
    const token = user && (await presentedDevice(services.readers, user, input.deviceToken));
    return { known: user, device: token };
  });
  const preferred = known !== null && goesFirst(known.state, device, services.now());
  const turn = { group, preferred };
  const check = await services.hasher.verify(known?.passwordHash ?? null, password, {
    ...turn,
    // A known device has its own count of failures: what strangers beside it spent is not asked.
    ...(preferred ? {} : { onBegin: payTry }),
  });
  if (known === null) {
    // No event: a stranger must not be able to grow the log.
    services.metrics.logins.inc({ outcome: 'refused', reason: 'unknown_identifier' });
    throw new LatchkeyError('invalid_credentials', { detail: 'unknown identifier' });
  }
  const rehashed = check.needsRehash ? await services.hasher.hash(password, turn) : null;
  let paid = false;
  const pay = () => {
    if (!paid) services.rateLimits.take('login_success', { userId: known.userId });
    paid = true;
  };
  try {
    return await services.handler.run(known.userId, () =>
      attempt(
        services,
        input,
        { known, audience, device, matches: check.matches, rehashed, pay },
        context,
      ),
    );
  } catch (error) {
    // The password changed during the check: whoever tries it now hears what everybody with an old
    // one hears.
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
  readonly pay: () => void;
}

async function attempt(
  services: Services,
  input: LogInInput,
  { known, audience, device, matches, rehashed, pay }: Checked,
  context: RequestContext,
): Promise<Attempt<IssuedTokens>> {
  const { readers, metrics } = services;
  const now = services.now();
  const [user, live] = await findUserWithSessions(readers, known.userId);
  if (user === null) throw new LatchkeyError('invalid_credentials', { detail: 'user is gone' });
  const personal = await PersonalData.of(services.subjectKeys, user.userId, user.subjectKey);
  const checked = changeUser(user.userId, user, {
    type: 'CheckPassword',
    now,
    matches,
    comparedWith: known.state.passwordChangedAt,
    device: knownDevice(device),
    pii: personal.sealPlace(context),
  });
  if (checked.refusal !== undefined) {
    return refused(services, checked, context);
  }
  // Not before it is certain that the login succeeds: a refusal here must not tell of a password.
  pay();
  const sessionId = newId();
  const { secret, started } = start(
    services,
    input,
    { now, sessionId, audience, user, personal },
    context,
  );
  const ended = supersede(services, live, input, { now, sessionId, personal });
  const remembered = rememberDevice(user.userId, checked.state, device, now);
  return {
    command: {
      commandId: newId(),
      meta: metaOf({
        meta: () => ({ ...context.meta(), actor: { type: 'user', id: user.userId } }),
      }),
      streams: [guardUser(user, checked.touch), started.touch, ...ended.map(({ touch }) => touch)],
      rows: mergeRows(
        checked.rows,
        started.rows,
        passwordRows(user.userId, checked.state, rehashed),
        remembered.rows,
        ...ended.map(({ rows }) => rows),
      ),
    },
    answer: () => {
      metrics.logins.inc({ outcome: 'accepted', reason: input.device.type });
      return issueTokens(services, {
        sessionId,
        session: started.state,
        userId: user.userId,
        user: checked.state,
        personal,
        secret,
        deviceToken: remembered.deviceToken,
      });
    },
  };
}

interface Newcomer {
  readonly now: number;
  readonly sessionId: string;
  readonly audience: readonly string[];
  readonly user: UserForCommand;
  readonly personal: PersonalData;
}

/** The new session, and the secret of its refresh token if it has one. */
function start(
  { config }: Services,
  input: LogInInput,
  { now, sessionId, audience, user, personal }: Newcomer,
  context: RequestContext,
): { secret: Buffer | null; started: Change<SessionRecord['state']> } {
  const lifetimes = lifetimesFor(input.device.type, config.lifetimeProfile, config);
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
    secretHash: secret === null ? null : hashSecret(secret),
    salt: secret === null ? null : randomBytes(16).toString('base64url'),
    pii: personal.seal({
      ip: context.clientAddress,
      user_agent: context.userAgent ?? '',
      device_name: input.device.name,
    }),
  });
  return { secret, started };
}

function refused<S>(
  services: Services,
  checked: Change<S>,
  context: RequestContext,
): Attempt<IssuedTokens> {
  return {
    command: {
      commandId: newId(),
      meta: metaOf(context),
      streams: [checked.touch],
      rows: checked.rows,
    },
    answer: () => {
      services.metrics.logins.inc({ outcome: 'refused', reason: 'password' });
      throw new LatchkeyError(checked.refusal!, { detail: 'password does not match' });
    },
  };
}

function supersede(
  services: Services,
  live: readonly SessionRecord[],
  input: LogInInput,
  by: { now: number; sessionId: string; personal: PersonalData },
): { touch: StreamTouch; rows: Change<unknown>['rows'] }[] {
  const { config } = services;
  const policy = config.devicePolicies[input.device.type];
  const ids = sessionsToSupersede(
    policy.kind === 'limit' ? { limit: policy.limit } : policy.kind,
    config.maxSessionsPerUser,
    live.map(({ sessionId, state }) => ({
      sessionId,
      deviceType: state.deviceType,
      startedAt: state.startedAt,
    })),
    input.device.type,
  );
  const pii = by.personal.seal({ device_name: input.device.name });
  return ids.map((id) =>
    changeSession(id, live.find(({ sessionId }) => sessionId === id)!, {
      type: 'RevokeSession',
      now: by.now,
      reason: 'superseded',
      supersededBy: by.sessionId,
      pii,
    }),
  );
}

/**
 * The audiences asked for, and nothing else, if the client may have them all; decided before the
 * identifier is looked at. The password grant is for our own clients only (RFC 9700 section 2.4).
 */
function grantedAudience(services: Services, input: LogInInput): readonly string[] {
  const { config, memory } = services;
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
  const allowed = client?.audiences ?? [config.defaultAudience, config.issuer];
  const wanted = input.audience ?? [client?.audiences[0] ?? config.defaultAudience];
  if (!wanted.every((audience) => allowed.includes(audience))) {
    throw new LatchkeyError('invalid_request', {
      errors: [{ path: 'audience', message: 'not an audience that this client may request' }],
    });
  }
  const audience = [...new Set(wanted)];
  requireRoomForAudiences(audience);
  return audience;
}
