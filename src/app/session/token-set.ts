import { multipleFactors } from '@latchkey/contract/acr';
import type { SessionSteppedUp } from '../../domain/session/events.ts';
import { lifetimesFor } from '../../domain/session/lifetimes.ts';
import { encodeRefreshToken } from '../../domain/session/refresh-token.ts';
import { sessionEndsAt } from '../../domain/session/rotation.ts';
import type { SessionState } from '../../domain/session/state.ts';
import { profileClaimsFor } from '../../domain/user/profile-claims.ts';
import { hasSecondFactor } from '../../domain/user/second-factor.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { Node } from '../../node/node.ts';
import type { SigningKey } from '../../node/signing-keys.ts';
import type { PersonalData } from '../personal-data.ts';
import { representSession, representUser } from '../representations.ts';
import { type AccessTokenInput, signAccessToken } from './sign-access-token.ts';
import { noteSigned } from './signing-key-for.ts';

export interface IssuedTokens {
  readonly body: {
    readonly token_type: 'Bearer' | 'DPoP';
    readonly access_token: string;
    readonly expires_in: number;
    readonly refresh_token?: string;
    readonly refresh_expires_in?: number;
    readonly device_token?: string;
    readonly session: ReturnType<typeof representSession>;
    readonly user: ReturnType<typeof representUser>;
  };
  readonly refreshToken: string | null;
  /** Only of a login, and only where the device was not known. */
  readonly deviceToken: string | null;
  readonly refreshExpiresInSeconds: number;
  readonly transport: 'body' | 'cookie';
  /** Of the access token. */
  readonly scope: string;
}

interface SessionToIssueFor {
  readonly sessionId: string;
  readonly session: SessionState;
  /** Chosen for the session and the roles of the user (`signing-key-for.ts`). */
  readonly signingKey: SigningKey;
  readonly userId: string;
  readonly user: UserState;
  readonly personal: PersonalData;
  readonly secret: Buffer | null;
  readonly deviceToken?: string | null;
  /** What a step-up has decided: the token says that, and not what the login proved. */
  readonly steppedUp?: SessionSteppedUp['data'];
}

/**
 * The `TokenSet` of a committed session. Called only after the append, so no token outlives a
 * rolled-back session; what signs was asked for before it. The access token counts from now, also
 * when a generation is answered again: a revocation covers that (see `revocationOfSession`), and a
 * client that lost an answer gets a token it can use.
 */
export async function issueTokens(
  node: Pick<Node, 'config' | 'memory' | 'secrets' | 'now'>,
  input: SessionToIssueFor,
): Promise<IssuedTokens> {
  const { config, secrets } = node;
  const { session, sessionId, secret, deviceToken = null } = input;
  const now = node.now();
  const { expiresAt, sessionEnd } = endsOf(input, config, now);
  const boundTo = session.deviceKey?.kind === 'dpop' ? session.deviceKey.jkt : undefined;
  const accessToken = await accessTokenFor(node, input, { boundTo, issuedAt: now, expiresAt });
  const refreshToken =
    secret === null
      ? null
      : encodeRefreshToken({
          macKeyId: secrets.refreshMacKeyId,
          macKey: secrets.refreshMacKeys.get(secrets.refreshMacKeyId)!,
          sessionId,
          generation: session.generation,
          secret,
        });
  const refreshExpiresInSeconds = Math.max(0, Math.floor((sessionEnd - now) / 1000));
  const inBody = session.transport === 'body';
  const shown = { ...session, expiresAt: sessionEnd };
  return {
    refreshToken,
    deviceToken,
    refreshExpiresInSeconds,
    transport: session.transport,
    scope: session.scope,
    body: {
      token_type: boundTo === undefined ? 'Bearer' : 'DPoP',
      access_token: accessToken,
      expires_in: Math.max(0, Math.floor(expiresAt / 1000) - Math.floor(now / 1000)),
      ...(inBody && refreshToken !== null ? { refresh_token: refreshToken } : {}),
      ...(refreshToken === null ? {} : { refresh_expires_in: refreshExpiresInSeconds }),
      ...(inBody && deviceToken !== null ? { device_token: deviceToken } : {}),
      session: representSession(sessionId, shown, input.personal, sessionId),
      user: representUser(input.userId, input.user, input.personal),
    },
  };
}

async function accessTokenFor(
  node: Pick<Node, 'config' | 'memory'>,
  { sessionId, session, signingKey, userId, user, personal, steppedUp }: SessionToIssueFor,
  facts: Pick<AccessTokenInput, 'boundTo' | 'issuedAt' | 'expiresAt'>,
): Promise<string> {
  const { clientId } = session;
  const client = clientId === null ? undefined : node.memory.client(clientId);
  const isOwn = signingKey.kid === session.sessionKey?.kid;
  const key = isOwn ? signingKey : node.memory.signingKey.currentOr(signingKey);
  const accessToken = await signAccessToken({
    key,
    issuer: node.config.tokens.issuer,
    userId,
    userEpoch: user.epoch,
    sessionId,
    generation: steppedUp?.generation ?? session.generation,
    audience: session.audience,
    client: clientId === null ? null : { id: clientId, epoch: client?.epoch ?? 0 },
    amr: provenNow(steppedUp?.amr ?? session.amr, user),
    roles: user.roles,
    scope: session.scope,
    deviceType: session.deviceType,
    customClaims: client?.claims ?? null,
    profile: profileOf(node, session.audience, { user, personal }),
    authenticatedAt: steppedUp?.at ?? session.startedAt,
    ...facts,
  });
  noteSigned(node, key, { sessionId, state: session });
  return accessToken;
}

/** A factor that was removed since proves nothing any more. */
function provenNow(amr: readonly string[], user: UserState): readonly string[] {
  return hasSecondFactor(user) ? amr : amr.filter((method) => method !== multipleFactors);
}

/** Of the user, what all these audiences may see. */
function profileOf(
  { config }: Pick<Node, 'config'>,
  audience: readonly string[],
  { user, personal }: Pick<SessionToIssueFor, 'user' | 'personal'>,
): Readonly<Record<string, string | boolean>> {
  const names = profileClaimsFor(audience, config.tokens.profileClaims);
  if (names.length === 0) return {};
  const { email, name, phone_number } = personal.profile(user.pii);
  const known = { email, email_verified: user.emailVerified, name, phone_number };
  const said = names.flatMap((claim) => {
    const value = known[claim];
    return value === undefined || value === '' ? [] : [[claim, value] as const];
  });
  return Object.fromEntries(said);
}

/**
 * When an access token made now expires, and when its session does. A repeat lives no longer than
 * its generation, nor than is configured now, whichever is shorter.
 */
function endsOf(
  { session, steppedUp }: Pick<SessionToIssueFor, 'session' | 'steppedUp'>,
  config: Node['config'],
  now: number,
) {
  const life = lifetimesFor(session.deviceType, config.lifetimes);
  const generationLifeMs =
    steppedUp === undefined
      ? session.accessExpiresAt - session.refreshedAt
      : steppedUp.accessTokenTtlSeconds * 1000;
  const accessLifeMs = Math.min(life.accessTokenTtlSeconds * 1000, generationLifeMs);
  const sessionEnd = sessionEndsAt(session, life.sessionTtlSeconds);
  return { expiresAt: Math.min(now + accessLifeMs, sessionEnd), sessionEnd };
}
