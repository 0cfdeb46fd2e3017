import { limits } from '../kernel/limits.ts';
import type { Signing } from '../session/session-key.ts';
import type { CustomClaims } from './custom-claims.ts';
import type { ClientEvent } from './events.ts';

/** The folded client, which is also its row. `secretHashes` is newest first; two live at most. */
export interface ClientState {
  readonly status: 'none' | 'active' | 'disabled';
  readonly name: string;
  readonly kind: 'confidential' | 'public';
  readonly audiences: readonly string[];
  readonly scopes: readonly string[];
  readonly firstParty: boolean;
  readonly secretHashes: readonly string[];
  readonly epoch: number;
  readonly registeredAt: number;
  /** Null: what the node is configured for. */
  readonly refreshGraceSeconds: number | null;
  /** null: what is configured for the type of the device. */
  readonly signing: Signing | null;
  /** null: none. */
  readonly claims: CustomClaims | null;
}

export const initialClient: ClientState = {
  status: 'none',
  name: '',
  kind: 'confidential',
  audiences: [],
  scopes: [],
  firstParty: false,
  secretHashes: [],
  epoch: 0,
  registeredAt: 0,
  refreshGraceSeconds: null,
  signing: null,
  claims: null,
};

export function evolveClient(state: ClientState, event: ClientEvent): ClientState {
  switch (event.type) {
    case 'ClientRegistered':
      return {
        ...initialClient,
        status: 'active',
        name: event.data.name,
        kind: event.data.kind,
        audiences: event.data.audiences,
        scopes: event.data.scopes,
        firstParty: event.data.firstParty,
        secretHashes: event.data.secretHash === null ? [] : [event.data.secretHash],
        registeredAt: event.data.at,
        refreshGraceSeconds: event.data.refreshGraceSeconds ?? null,
        signing: event.data.signing ?? null,
        claims: event.data.claims ?? null,
      };
    case 'ClientSecretRotated':
      return {
        ...state,
        secretHashes: [event.data.secretHash, ...state.secretHashes].slice(
          0,
          limits.clientSecretsMax,
        ),
      };
    case 'ClientSecretEnded':
      return { ...state, secretHashes: state.secretHashes.slice(0, 1) };
    case 'ClientEpochRaised':
      return { ...state, epoch: event.data.epoch };
    case 'ClientDisabled':
      return { ...state, status: 'disabled', secretHashes: [], epoch: event.data.epoch };
  }
}
