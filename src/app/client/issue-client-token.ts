import type { CustomClaims } from '../../domain/client/custom-claims.ts';
import { type Grant, grantToClient, type RequestedGrant } from '../../domain/client/grant.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { slotOf } from '../../domain/kernel/ids.ts';
import { lifetimesFor } from '../../domain/session/lifetimes.ts';
import type { SessionState } from '../../domain/session/state.ts';
import type { ProvenKey } from '../../node/dpop-proofs.ts';
import type { Node } from '../../node/node.ts';
import type { SigningKey } from '../../node/signing-keys.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';
import { changeSession } from '../session/change-session.ts';
import { signAccessToken } from '../session/sign-access-token.ts';
import { noteSigned } from '../session/signing-key-for.ts';
import { deviceKeyOf, onceOnly, usedUp } from '../session/used-proof.ts';

export interface IssueClientTokenInput {
  /** It has authenticated. */
  readonly clientId: string;
  readonly requested: RequestedGrant;
  /** The key that the request has proved: the token is bound to it. */
  readonly key: ProvenKey | null;
}

export interface ClientToken extends Grant {
  readonly accessToken: string;
  readonly tokenType: 'Bearer' | 'DPoP';
  readonly expiresInSeconds: number;
}

/**
 * A token that a client has for itself (RFC 6749 section 4.4): its `sub` is the client, it has no
 * roles and no refresh token, and its `sid` is a session of its own that ends with it. So one token
 * is ended as any session is, and all of them by the client's epoch. Raises `unauthorized_client`
 * for a public client, `invalid_scope`, `invalid_target`, `invalid_dpop_proof`, `unavailable`.
 */
export async function issueClientToken(
  node: Node,
  { clientId, requested, key }: IssueClientTokenInput,
  by: By,
): Promise<ClientToken> {
  const client = node.memory.client(clientId);
  if (client?.kind !== 'confidential') {
    throw new LatchkeyError('unauthorized_client', { detail: 'a public client proves nothing' });
  }
  const grant = grantToClient(client, requested);
  const sessionId = newId(slotOf(clientId));
  // Asked for before the append: a node that cannot sign must not start a session.
  const signingKey = node.memory.signingKey.get();
  const { handler } = node.cells.of(sessionId);
  return onceOnly(() =>
    handler.run(sessionId, async () => {
      const started = changeSession(sessionId, null, {
        type: 'StartSession',
        now: node.now(),
        userId: clientId,
        clientId,
        deviceType: 'service',
        amr: [],
        ...grant,
        transport: 'body',
        lifetimes: lifetimesFor('service', node.config.lifetimes),
        secretHash: null,
        salt: null,
        pii: null,
        ...(key === null ? {} : { deviceKey: deviceKeyOf(key) }),
      });
      const { epoch, claims: customClaims } = client;
      const at = { key: signingKey, sessionId, session: started.state };
      return append(by, [started, usedUp(key)], () => sign(node, { ...at, epoch, customClaims }));
    }),
  );
}

interface StartedSession {
  readonly key: SigningKey;
  readonly sessionId: string;
  readonly session: SessionState;
  /** Of the client when it authenticated: the token of one that was disabled since is dead. */
  readonly epoch: number;
  readonly customClaims: CustomClaims | null;
}

async function sign(
  node: Pick<Node, 'config' | 'memory'>,
  { key: asked, sessionId, session, epoch, customClaims }: StartedSession,
): Promise<ClientToken> {
  const key = node.memory.signingKey.currentOr(asked);
  const { userId: clientId, audience, scope, startedAt, accessExpiresAt, deviceKey } = session;
  const accessToken = await signAccessToken({
    key,
    issuer: node.config.tokens.issuer,
    userId: clientId,
    userEpoch: epoch,
    sessionId,
    generation: session.generation,
    audience,
    client: { id: clientId, epoch },
    amr: session.amr,
    roles: [],
    scope,
    deviceType: session.deviceType,
    customClaims,
    boundTo: deviceKey?.jkt,
    authenticatedAt: startedAt,
    issuedAt: startedAt,
    expiresAt: accessExpiresAt,
  });
  noteSigned(node, key, { sessionId, state: session });
  return {
    accessToken,
    tokenType: deviceKey === null ? 'Bearer' : 'DPoP',
    expiresInSeconds: Math.floor(accessExpiresAt / 1000) - Math.floor(startedAt / 1000),
    audience,
    scope,
  };
}
