import type { AccessTokenClaims } from '@latchkey/contract/access-token-claims';
import { parseId } from '@latchkey/verifier/internal/id-table';
import { KeyRing, type VerificationKeys } from '@latchkey/verifier/key-ring';
import { LogLeases } from '@latchkey/verifier/lease';
import { RevocationSet } from '@latchkey/verifier/revocation-set';
import {
  createVerifier,
  type KeyProof,
  type Verification,
  type Verifier,
} from '@latchkey/verifier/verify';
import type { ClientState } from '../domain/client/state.ts';
import { activeKey } from '../domain/keyset/published.ts';
import { initialKeyset, type KeysetState } from '../domain/keyset/state.ts';
import type { ClientRecord } from '../tables/client.ts';
import type { Revocation } from '../tables/revocation.ts';
import type { Config } from './config.ts';
import type { OpenedKeys } from './private-keys.ts';
import { SessionKeyCache, SessionSigningKeyCache } from './session-key-cache.ts';
import { ActiveSigningKey, buildJwks, type JwksDocument } from './signing-keys.ts';
import { refusalOfUse, type TokenRealm, type TokenUse, type UseRefusal } from './token-use.ts';

/** What became of a token that was presented for a use. */
export type UseVerification =
  | Verification
  | { readonly ok: false; readonly code: 'insufficient_scope'; readonly reason: UseRefusal };

/** Enters a service of this audience; without one, any of the issuer's own. */
export function serviceUse(audience: string | undefined): TokenUse {
  return audience === undefined ? forAnyService : { kind: 'service', audience };
}

const forAnyService: TokenUse = { kind: 'service', audience: null };
const verifierCacheBytesMax = 32 * 1024 * 1024;

/**
 * All that this node answers `/auth/verify` and introspection from: keys, clients and the
 * revocation set, loaded before it is ready and kept by the revocation poll. No method does I/O.
 */
export class NodeMemory {
  readonly leases: LogLeases;
  readonly verifier: Verifier;
  readonly signingKey = new ActiveSigningKey();
  readonly revocations: RevocationSet;
  /** The public keys of sessions, and the private ones. */
  readonly sessionKeys: SessionKeyCache;
  readonly sessionSigningKeys: SessionSigningKeyCache;
  readonly #subjectKeys: { forget(subjectId: string): void };
  readonly #keyRing = new KeyRing();
  readonly #realm: TokenRealm;
  #clients: ReadonlyMap<string, ClientState> = new Map();
  #privateKeys: OpenedKeys = { usable: new Map(), unusable: [] };
  #keyset: KeysetState = initialKeyset;
  #jwks: JwksDocument = buildJwks(initialKeyset);

  /** `subjectKeys`: those of this process, which forget the key of a user who may be erased. */
  constructor(
    config: Pick<Config, 'tokens' | 'verification' | 'sessionKeys'>,
    subjectKeys: { forget(subjectId: string): void } = { forget: () => {} },
  ) {
    this.#subjectKeys = subjectKeys;
    const { tokens, verification } = config;
    const { issuer, defaultAudience } = tokens;
    const { clockSkewSeconds, leaseSeconds, stalePolicy } = verification;
    this.#realm = {
      issuer,
      defaultAudience,
      isFirstParty: (clientId) => this.#clients.get(clientId)?.firstParty === true,
    };
    this.revocations = new RevocationSet({ clockSkewSeconds });
    this.leases = new LogLeases({ leaseSeconds, policy: stalePolicy });
    const cache = {
      entriesMax: config.sessionKeys.cachedMax,
      bytesMax: config.sessionKeys.cacheBytesMax,
      clockSkewSeconds,
      isRevoked: (sessionId: string) => this.#isRevokedSession(sessionId),
    };
    this.sessionKeys = new SessionKeyCache(cache);
    this.sessionSigningKeys = new SessionSigningKeyCache(cache);
    this.verifier = createVerifier({
      issuer,
      keyRing: keysOf(this.#keyRing, this.sessionKeys),
      revocations: this.revocations,
      leases: this.leases,
      clockSkewSeconds,
      cacheBytesMax: verifierCacheBytesMax,
    });
  }

  /**
   * Whether a token is good now, and good for `use` (`refusalOfUse`). One that is bound to a key is
   * refused without `keyProof`.
   */
  verifyFor(token: string, use: TokenUse, keyProof?: KeyProof): UseVerification {
    const at = { now: Date.now(), monotonicNow: performance.now(), audience: null, keyProof };
    const verified = this.verifier.verify(token, at);
    return verified.ok ? this.#judged(verified, use) : verified;
  }

  /**
   * As `verifyFor`, but the token may have expired or been revoked: for a logout with an expired
   * one.
   */
  recognizeFor(token: string, use: TokenUse, keyProof?: KeyProof): UseVerification {
    const recognized = this.verifier.recognize(token, keyProof);
    return recognized.ok ? this.#judged(recognized, use) : recognized;
  }

  /**
   * Whether the user was granted a role after this token was made, so that a refresh may bring what
   * it lacks.
   */
  lacksNewRoles({ sub, epoch }: Pick<AccessTokenClaims, 'sub' | 'epoch'>): boolean {
    const userId = parseId(sub);
    return userId !== null && epoch < this.revocations.rolesEpoch(userId);
  }

  #isRevokedSession(sessionId: string): boolean {
    const id = parseId(sessionId);
    return id !== null && this.revocations.hasSession(id);
  }

  #judged(verified: Extract<Verification, { ok: true }>, use: TokenUse): UseVerification {
    const reason = refusalOfUse(verified.claims, use, this.#realm);
    if (reason === null) return verified;
    if (reason === 'audience') return { ok: false, code: 'invalid_token', reason };
    return { ok: false, code: 'insufficient_scope', reason };
  }

  /**
   * Takes one revocation in at once. `keyset` and `client` entries also need the poll to read what
   * changed.
   */
  revoke({ targetKind, target, epoch, until }: Revocation): void {
    switch (targetKind) {
      case 'session':
        this.revocations.apply({ kind: targetKind, id: target, untilMs: until });
        this.sessionKeys.endSession(target, until);
        this.sessionSigningKeys.endSession(target);
        return;
      case 'kid':
        this.revocations.apply({ kind: targetKind, id: target, untilMs: until });
        return;
      case 'user':
      case 'roles':
      case 'client':
        if (targetKind === 'user') this.#subjectKeys.forget(target);
        if (epoch === null) return;
        this.revocations.apply({ kind: targetKind, id: target, epoch, untilMs: until });
        return;
      case 'keyset':
        return;
    }
  }

  /** What this node can sign with. The active key among them signs, or none does. */
  replacePrivateKeys(opened: OpenedKeys): void {
    this.#privateKeys = opened;
    const active = activeKey(this.#keyset);
    this.signingKey.replace(active === undefined ? undefined : opened.usable.get(active.kid));
  }

  /** How many tokens of the key this node has accepted. */
  verificationsBy(kid: string): number {
    return this.#keyRing.find(kid)?.uses.verifications ?? 0;
  }

  get privateKeys(): OpenedKeys {
    return this.#privateKeys;
  }

  replaceKeyset(keyset: KeysetState): void {
    this.#keyRing.replace(keyset.keys);
    this.#keyset = keyset;
    this.#jwks = buildJwks(keyset);
  }

  replaceClients(clients: readonly ClientRecord[]): void {
    this.#clients = new Map(clients.map(({ clientId, state }) => [clientId, state]));
  }

  /** Whether sessions of some client have keys of their own, whatever their device. */
  get someClientSignsBySession(): boolean {
    return this.#clients.values().some(({ signing }) => signing === 'session');
  }

  client(clientId: string): ClientState | undefined {
    return this.#clients.get(clientId);
  }

  get keyset(): KeysetState {
    return this.#keyset;
  }

  get jwks(): JwksDocument {
    return this.#jwks;
  }
}

/** The issuer's keys and those of sessions: no kid names one of each. */
function keysOf(issuer: KeyRing, ofSessions: SessionKeyCache): VerificationKeys {
  return {
    get revision() {
      return issuer.revision;
    },
    find: (kid) => issuer.find(kid) ?? ofSessions.find(kid),
  };
}
