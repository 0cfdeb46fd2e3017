import type { ClientState } from '../domain/client/state.ts';
import { initialKeyset, type KeysetState } from '../domain/keyset/state.ts';
import type { Config } from '../platform/config.ts';
import type { ClientRecord } from '../projections/client.ts';
import type { Revocation } from '../projections/revocation.ts';
import { KeyRing } from '../verifier/key-ring.ts';
import { Lease } from '../verifier/lease.ts';
import { RevocationSet } from '../verifier/revocation-set.ts';
import { createVerifier, type Verification, type Verifier } from '../verifier/verify.ts';
import { ActiveSigningKey, buildJwks, type JwksDocument } from './tokens/signing-keys.ts';

const verifierCacheBytesMax = 32 * 1024 * 1024;

/**
 * All that this node answers `/auth/verify` and introspection from: keys, clients and the
 * revocation set, loaded before it is ready and kept by the revocation poll. No method does I/O.
 */
export class NodeMemory {
  readonly lease: Lease;
  readonly verifier: Verifier;
  readonly signingKey = new ActiveSigningKey();
  readonly revocations: RevocationSet;
  readonly #keyRing = new KeyRing();
  #clients: ReadonlyMap<string, ClientState> = new Map();
  #keyset: KeysetState = initialKeyset;
  #jwks: JwksDocument = buildJwks(initialKeyset);

  constructor(config: Config) {
    const { clockSkewSeconds } = config;
    this.revocations = new RevocationSet({ clockSkewSeconds });
    this.lease = new Lease({ leaseSeconds: config.leaseSeconds, policy: config.stalePolicy });
    this.verifier = createVerifier({
      issuer: config.issuer,
      keyRing: this.#keyRing,
      revocations: this.revocations,
      lease: this.lease,
      clockSkewSeconds,
      cacheBytesMax: verifierCacheBytesMax,
    });
  }

  verify(token: string, audience?: string): Verification {
    const now = Date.now();
    return this.verifier.verify(token, {
      now,
      monotonicNow: performance.now(),
      ...(audience === undefined ? {} : { audience }),
    });
  }

  /**
   * Takes one revocation in at once. `keyset` and `client` entries also need the poll to read what
   * changed.
   */
  revoke({ targetKind, target, epoch, until }: Revocation): void {
    switch (targetKind) {
      case 'session':
      case 'kid':
        this.revocations.apply({ kind: targetKind, id: target, untilMs: until });
        return;
      case 'user':
      case 'client':
        if (epoch === null) return;
        this.revocations.apply({ kind: targetKind, id: target, epoch, untilMs: until });
        return;
      case 'keyset':
        return;
    }
  }

  replaceKeyset(keyset: KeysetState): void {
    this.#keyRing.replace(keyset.keys);
    this.#keyset = keyset;
    this.#jwks = buildJwks(keyset);
  }

  replaceClients(clients: readonly ClientRecord[]): void {
    this.#clients = new Map(clients.map(({ clientId, state }) => [clientId, state]));
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
