import { isRecentChallenge, sessionChallenge } from '../../domain/session/bound-session-macs.ts';
import type { DeviceKey } from '../../domain/session/device-key.ts';
import { clockFor } from '../../domain/session/lifetimes.ts';
import { isOver } from '../../domain/session/rotation.ts';
import type { SessionState } from '../../domain/session/state.ts';
import type { Node } from '../../node/node.ts';
import { findSession } from '../../tables/session.ts';
import { type FreshBinding, freshBinding, invalidDeviceProof, readProof } from './bound-session.ts';
import { countedBinding } from './counted-binding.ts';
import { isProofBy } from './dbsc-proof.ts';

export interface RenewBoundCookieInput {
  /** The session that the browser wants to go on with; null: none of ours. */
  readonly sessionId: string | null;
  /** Whose refresh cookie it holds; null: none, or none of ours. */
  readonly heldSessionId: string | null;
  /** The proof as it was sent; null: none yet. */
  readonly proof: string | null;
}

/**
 * `renewed`: a fresh bound cookie. `challenged`: the browser has to sign this challenge first.
 * `ended`: the browser has nothing to prove any more; with a binding where it proved the key of a
 * session that has ended, so that `refreshSession` tells the holder how it ended.
 */
export type Renewal =
  | { readonly outcome: 'renewed'; readonly binding: FreshBinding }
  | { readonly outcome: 'challenged'; readonly sessionId: string; readonly challenge: string }
  | { readonly outcome: 'ended'; readonly binding: FreshBinding | null };

/**
 * Gives the holder of a session's key a fresh bound cookie (W3C DBSC). Appends nothing. A challenge
 * may be signed more than once: browsers send a proof again after a lost answer. Raises
 * `invalid_device_proof`, `unavailable`.
 */
export function renewBoundCookie(node: Node, input: RenewBoundCookieInput): Promise<Renewal> {
  return countedBinding(
    node,
    'refresh',
    () => renew(node, input),
    ({ outcome }) => outcome,
  );
}

async function renew(
  node: Node,
  { sessionId, heldSessionId, proof: text }: RenewBoundCookieInput,
): Promise<Renewal> {
  // A browser that has logged in anew has another session's cookies: it must not overwrite those.
  if (sessionId === null || sessionId !== heldSessionId) return { outcome: 'ended', binding: null };
  const record = await findSession(node.cells.of(sessionId).readers, sessionId);
  const deviceKey = record?.state.deviceKey ?? null;
  if (record === null || deviceKey?.kind !== 'dbsc') return { outcome: 'ended', binding: null };
  if (text === null || !isProof(node, sessionId, deviceKey, text)) {
    const at = { purpose: 'refresh', now: node.now() } as const;
    const challenge = sessionChallenge(node.secrets.boundSessionKey, sessionId, at);
    return { outcome: 'challenged', sessionId, challenge };
  }
  const binding = freshBinding(node, sessionId, deviceKey.jkt);
  return { outcome: isLive(node, record.state) ? 'renewed' : 'ended', binding };
}

/** False for a proof of the key whose challenge is too old. Raises `invalid_device_proof`. */
function isProof(node: Node, sessionId: string, deviceKey: DeviceKey, text: string): boolean {
  const proof = readProof(node, sessionId, text);
  if (!isProofBy(proof, deviceKey)) throw invalidDeviceProof('of another key than the session has');
  const challenge = { text: proof.challenge, purpose: 'refresh', now: node.now() } as const;
  return isRecentChallenge(node.secrets.boundSessionKey, sessionId, challenge);
}

function isLive({ config, now }: Node, state: SessionState): boolean {
  if (state.status !== 'live') return false;
  return !isOver(state, { now: now(), ...clockFor(state.deviceType, config) });
}
