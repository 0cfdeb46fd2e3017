import type { KeysetKey } from '@latchkey/contract/keyset-key';
import type { KeysetState } from '../../domain/keyset/state.ts';
import type { Node } from '../../node/node.ts';
import { findIssuerKeyset } from '../../tables/keyset.ts';
import { toTime } from '../representations.ts';

export async function issuerKeys({ cells }: Pick<Node, 'cells'>) {
  return representKeyset((await findIssuerKeyset(cells.home.readers)).state);
}

/** The keys with their states and times, oldest first. */
export function representKeyset({ keys }: KeysetState) {
  return keys.map(representKey);
}

function representKey(key: KeysetKey) {
  return {
    kid: key.kid,
    alg: key.alg,
    status: key.status,
    generated_at: toTime(key.generatedAt),
    activated_at: timeOrNull(key.activatedAt),
    retired_at: timeOrNull(key.retiredAt),
    remove_after: timeOrNull(key.removeAfter),
    revoked_at: timeOrNull(key.revokedAt),
  };
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : toTime(ms);
}
