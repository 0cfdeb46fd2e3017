import { type CustomClaims, sortedClaims } from '../../domain/client/custom-claims.ts';
import { type ClientState, initialClient } from '../../domain/client/state.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Signing } from '../../domain/session/session-key.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { findClient } from '../../tables/client.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { createdId } from '../idempotent-command.ts';
import { changeClient } from './change-client.ts';
import { newClientSecret } from './client-secret.ts';

export interface RegisterClientInput {
  readonly name: string;
  readonly kind: 'confidential' | 'public';
  readonly audiences: readonly string[];
  readonly scopes: readonly string[];
  readonly firstParty: boolean;
  /** Of its unbound sessions; null: what the node is configured for. */
  readonly refreshGraceSeconds: number | null;
  readonly signing: Signing | null;
  readonly claims: CustomClaims | null;
  readonly idempotencyKey: string | null;
}

export interface ClientCredentialsIssued {
  readonly clientId: string;
  /** Shown this once; null for a public client, and for a retry. */
  readonly clientSecret: string | null;
}

/**
 * Registers a client. A retry under the same Idempotency-Key answers the same client, without the
 * secret. Raises `invalid_request`, `conflict` (the key was used for another client),
 * `unavailable`.
 */
export async function registerClient(
  node: Node,
  input: RegisterClientInput,
  by: By,
): Promise<ClientCredentialsIssued> {
  const clientId = createdId(by, 'register-client', input.idempotencyKey);
  const made = input.kind === 'confidential' ? newClientSecret() : null;
  const { readers, handler } = node.cells.home;
  return handler.run(clientId, async (): Promise<Attempt<ClientCredentialsIssued>> => {
    const existing = await findClient(readers, clientId);
    if (existing !== null) {
      if (!isSameClient(existing.state, input)) {
        throw new LatchkeyError('conflict', {
          detail: 'Idempotency-Key was used for another client',
        });
      }
      return unchanged(() => ({ clientId, clientSecret: null }));
    }
    const { idempotencyKey: _, ...said } = input;
    const change = changeClient(
      clientId,
      { version: 0, state: initialClient },
      {
        type: 'RegisterClient',
        now: node.now(),
        ...said,
        secretHash: made?.hash ?? null,
      },
    );
    return append(by, [change], () => ({ clientId, clientSecret: made?.secret ?? null }));
  });
}

function isSameClient(client: ClientState, input: RegisterClientInput): boolean {
  const facts = ({
    name,
    kind,
    audiences,
    scopes,
    firstParty,
    refreshGraceSeconds,
    signing,
    claims,
  }: ClientState | RegisterClientInput) =>
    JSON.stringify([
      ...[name, kind, [...new Set(audiences)], [...new Set(scopes)], firstParty],
      refreshGraceSeconds,
      signing,
      sortedClaims(claims ?? {}),
    ]);
  return facts(client) === facts(input);
}
