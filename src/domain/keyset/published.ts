import type { KeysetKey } from '@latchkey/contract/keyset-key';
import type { KeysetState } from './state.ts';

/**
 * The keys of the JWKS: a pending one is announced before it signs, a retiring one verifies what it
 * signed.
 */
export function publishedKeys(state: KeysetState): readonly KeysetKey[] {
  return state.keys.filter((key) => key.status !== 'revoked');
}

/** The one key that signs; undefined only before the first keys exist. */
export function activeKey(state: KeysetState): KeysetKey | undefined {
  return state.keys.find((key) => key.status === 'active');
}

/** The announced keys, the one that was announced longest ago first. */
export function pendingKeys(state: KeysetState): readonly KeysetKey[] {
  return state.keys.filter((key) => key.status === 'pending');
}
