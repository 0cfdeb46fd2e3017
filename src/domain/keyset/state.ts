import type { KeysetKey } from '@latchkey/contract/keyset-key';
import type { KeysetEvent } from './events.ts';

/**
 * The folded issuer keyset, which is also its one JSONB row: keys in the order they were generated.
 */
export interface KeysetState {
  readonly keys: readonly KeysetKey[];
}

export const initialKeyset: KeysetState = { keys: [] };

export function evolveKeyset(state: KeysetState, event: KeysetEvent): KeysetState {
  const { data } = event;
  const change = (patch: Partial<KeysetKey>): KeysetState => ({
    keys: state.keys.map((key) => (key.kid === data.kid ? { ...key, ...patch } : key)),
  });
  switch (event.type) {
    case 'KeyGenerated':
      return {
        keys: [
          ...state.keys,
          {
            kid: event.data.kid,
            alg: event.data.alg,
            status: 'pending',
            jwk: event.data.jwk,
            generatedAt: event.data.at,
            activatedAt: null,
            retiredAt: null,
            removeAfter: null,
            revokedAt: null,
          },
        ],
      };
    case 'KeyActivated':
      return change({ status: 'active', activatedAt: data.at });
    case 'KeyRetired':
      return change({
        status: 'retiring',
        retiredAt: data.at,
        removeAfter: event.data.removeAfter,
      });
    case 'KeyRevoked':
      return change({ status: 'revoked', revokedAt: data.at });
    case 'KeyRemoved':
      return { keys: state.keys.filter((key) => key.kid !== data.kid) };
  }
}
