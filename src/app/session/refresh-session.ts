import { randomBytes } from 'node:crypto';
import type { ErrorCode } from '@latchkey/contract/error-code';
import { narrowedGrant, type RequestedGrant } from '../../domain/client/grant.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { sha256 } from '../../domain/kernel/sha256.ts';
import { isSurplus } from '../../domain/session/device-policy.ts';
import { clockFor, lifetimesFor } from '../../domain/session/lifetimes.ts';
import {
  deriveSuccessorSecret,
  type RefreshTokenParts,
} from '../../domain/session/refresh-token.ts';
import { provesDpopKey, repeatedSuccessor } from '../../domain/session/rotation.ts';
import { newestGeneration, type SessionState } from '../../domain/session/state.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { ProvenKey } from '../../node/dpop-proofs.ts';
import type { Node } from '../../node/node.ts';
import { findLiveSessions, type SessionRecord } from '../../tables/session.ts';
import type { UserOfSession } from '../../tables/session-with-user.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';
import { type RefreshingClient, requireClientOfSession } from '../client/authenticate-client.ts';
import { PersonalData } from '../personal-data.ts';
import { toTime } from '../representations.ts';
import { isProvenByCookie } from './bound-session.ts';
import { changeSession } from './change-session.ts';
import { signingKeyOfRefresh } from './signing-key-for.ts';
import { type IssuedTokens, issueTokens } from './token-set.ts';
import { onceOnly, usedUp, useUp } from './used-proof.ts';

export interface RefreshInput {
  /** null: not one of ours. */
  readonly refreshToken: RefreshTokenParts | null;
  /** The bound cookie as it was sent; null: none. */
  readonly boundCookie: string | null;
  readonly idempotencyKey: string | null;
  readonly client: RefreshingClient;
  /** What the access token shall be for; null: all that the session is. */
  readonly requested: RequestedGrant | null;
  /** The key that the request has proved. */
  readonly key: ProvenKey | null;
  /**
   * Takes one refresh from the budget of the session. Whoever lacks its key, or presents a used
   * token, spends nothing of it.
   */
  readonly pay: () => Promise<void>;
}

/**
 * Rotates a refresh token, or answers its successor again when the first answer was lost
 * (`domain/session/rotation.ts`). Decided on the session's row alone, so it holds across processes
 * and restarts. Raises `invalid_token`, `invalid_client` (a confidential client elsewhere than at
 * the token endpoint), `invalid_scope`, `invalid_target`, `device_proof_required`,
 * `invalid_dpop_proof`, `session_ended`, `session_superseded`, `rate_limited`, `unavailable`.
 */
export async function refreshSession(
  node: Node,
  input: RefreshInput,
  by: By,
): Promise<IssuedTokens> {
  const token = input.refreshToken;
  if (token === null) throw new LatchkeyError('invalid_token', { detail: 'not our refresh token' });
  const idempotencyKeyHash = input.idempotencyKey === null ? null : sha256(input.idempotencyKey);
  let paid: Promise<void> | null = null;
  const pay = () => {
    paid ??= input.pay();
    return paid;
  };
  const presented = { ...input, token, idempotencyKeyHash, pay };
  try {
    return await onceOnly(() =>
      node.cells
        .of(token.sessionId)
        .handler.run(token.sessionId, () => attempt(node, presented, by)),
    );
  } catch (error) {
    if (error instanceof LatchkeyError) node.metrics.refreshes.inc({ outcome: error.code });
    throw error;
  }
}

interface Presented extends Omit<RefreshInput, 'refreshToken' | 'idempotencyKey'> {
  readonly token: RefreshTokenParts;
  readonly idempotencyKeyHash: string | null;
}

async function attempt(
  node: Node,
  { token, boundCookie, idempotencyKeyHash, client, requested, key, pay }: Presented,
  by: By,
): Promise<Attempt<IssuedTokens>> {
  const { config, metrics } = node;
  const now = node.now();
  const found = await node.cells.of(token.sessionId).sessionsWithUsers.find(token.sessionId);
  if (found === null) throw new LatchkeyError('invalid_token', { detail: 'no such session' });
  const { session: record, user } = found;
  if (user === null) throw new LatchkeyError('invalid_token', { detail: 'user is gone' });
  requireClientOfSession(node.memory, record.state.clientId, client);
  requirePlaceOfToken(record.state, client);
  const grant = requested === null ? {} : narrowedGrant(record.state, requested);
  const personal = await PersonalData.of(node.subjectKeys, user.userId, user.subjectKey);
  if (user.state.status === 'erased') {
    throw refusalOf('session_ended', record.state, personal, now);
  }
  const lastSeen = personal.sessionOrigin(record.state.pii);
  const seen = { ...lastSeen, ip: by.address ?? '', user_agent: by.userAgent ?? '' };
  const life = lifetimesFor(record.state.deviceType, config.lifetimes);
  const surplus = await surplusOf(node, record, user, personal);
  const newSalt = randomBytes(16).toString('base64url');
  const successor = deriveSuccessorSecret(
    token.secret,
    newSalt,
    token.sessionId,
    newestGeneration(record.state) + 1,
  );
  const { deviceKey } = record.state;
  const proof = provesDpopKey(record.state, key?.jkt ?? null) ? key : null;
  const change = decide(record, personal, {
    type: 'RefreshSession',
    now,
    presented: { generation: token.generation, secretHash: sha256(token.secret) },
    idempotencyKeyHash,
    graceSeconds: graceSecondsOf(node, record.state),
    keyProven:
      proof !== null || isProvenByCookie(node, token.sessionId, { deviceKey, boundCookie }),
    successor: { secretHash: sha256(successor) },
    newSalt,
    pii: personal.seal(seen),
    moved: seen.ip !== lastSeen.ip || seen.user_agent !== lastSeen.user_agent,
    accessTokenTtlSeconds: life.accessTokenTtlSeconds,
    ...clockFor(record.state.deviceType, config),
    ...surplus,
  });
  if (change.refusal !== undefined) {
    const refused = refusalOf(change.refusal, change.state, personal, now);
    return append(by, [change, usedUp(proof)], () => Promise.reject(refused));
  }
  await pay();
  const { roles } = user.state;
  const signingKey = await signingKeyOfRefresh(node, token.sessionId, change.state, roles);
  const isRepeat = !change.events.some(({ type }) => type === 'SessionRefreshed');
  if (change.events.length === 0) await useUp(node.cells.of(token.sessionId).readers, proof);
  return append(by, [change, usedUp(proof)], () => {
    metrics.refreshes.inc({ outcome: isRepeat ? 'repeated' : 'rotated' });
    return issueTokens(node, {
      sessionId: token.sessionId,
      session: { ...change.state, ...grant },
      signingKey,
      userId: user.userId,
      user: user.state,
      personal,
      secret: isRepeat ? repeatedSuccessor(change.state, token.sessionId, token.secret) : successor,
    });
  });
}

/** The token endpoint answers in the body alone: it would take the successor from its cookie. */
function requirePlaceOfToken({ transport }: SessionState, { endpoint }: RefreshingClient): void {
  if (endpoint === 'token' && transport === 'cookie') {
    throw new LatchkeyError('invalid_token', { detail: 'of a session in cookie mode' });
  }
}

type RefreshCommand = Extract<Parameters<typeof changeSession>[2], { type: 'RefreshSession' }>;

/** The grace window of the session's client, which a bound session does not need. */
function graceSecondsOf({ config, memory }: Node, { clientId }: SessionState): number {
  const client = clientId === null ? undefined : memory.client(clientId);
  return client?.refreshGraceSeconds ?? config.refresh.graceSeconds;
}

/**
 * The domain's refusals carry epoch milliseconds; clients get RFC 3339 and, if superseded, the
 * newcomer's name.
 */
function decide(record: SessionRecord, personal: PersonalData, command: RefreshCommand) {
  try {
    return changeSession(record.sessionId, record, command);
  } catch (error) {
    if (!(error instanceof LatchkeyError) || error.facts?.ended_at === undefined) throw error;
    throw refusalOf(error.code, record.state, personal, error.facts.ended_at as number, error);
  }
}

function refusalOf(
  code: ErrorCode,
  { endedAt, endPii }: SessionState,
  personal: PersonalData,
  now: number,
  cause?: unknown,
): LatchkeyError {
  return new LatchkeyError(code, {
    cause,
    detail: 'the session of the refresh token has ended',
    facts: {
      ended_at: toTime(endedAt ?? now),
      ...(code === 'session_superseded'
        ? { device_name: personal.sessionOrigin(endPii).device_name }
        : {}),
    },
  });
}

/**
 * Whether the device policy configured now leaves the session no place; if so, the newest session,
 * which has it. Empty as long as no policy has become stricter since the login.
 */
async function surplusOf(
  { cells, config }: Node,
  { state }: SessionRecord,
  { userId, newerSessions }: UserOfSession,
  personal: PersonalData,
): Promise<Pick<RefreshCommand, 'surplus' | 'supersededBy' | 'newcomerPii'>> {
  const policy = config.devicePolicies[state.deviceType];
  if (!isSurplus(policy, config.sessions.perUserMax, newerSessions)) return {};
  const live = await findLiveSessions(cells.of(userId).readers, userId);
  const ofType = live.filter((other) => other.state.deviceType === state.deviceType);
  const newest = (newerSessions.newerOfType > 0 ? ofType : live).toSorted(
    (a, b) => b.state.startedAt - a.state.startedAt,
  )[0];
  if (newest === undefined) return { surplus: true };
  const { device_name } = personal.sessionOrigin(newest.state.pii);
  return {
    surplus: true,
    supersededBy: newest.sessionId,
    newcomerPii: personal.seal({ device_name }),
  };
}
