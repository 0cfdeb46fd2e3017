import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { isRecentChallenge } from '../../domain/session/bound-session-macs.ts';
import { clockFor } from '../../domain/session/lifetimes.ts';
import type { Node } from '../../node/node.ts';
import { findSession } from '../../tables/session.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';
import { toTime } from '../representations.ts';
import { type FreshBinding, freshBinding, invalidDeviceProof, readProof } from './bound-session.ts';
import { changeSession } from './change-session.ts';
import { countedBinding } from './counted-binding.ts';
import { registeredKey } from './dbsc-proof.ts';

export interface RegisterDeviceKeyInput {
  /** Whose refresh cookie the browser holds; null: none, or none of ours. */
  readonly sessionId: string | null;
  /** The proof as it was sent. */
  readonly proof: string | null;
}

/**
 * Binds a session in cookie mode to the key that its browser has made for it (W3C DBSC). Only the
 * answer to a login carries the challenge, and a session is bound once: the same key again, after a
 * lost answer, is answered the same. Raises `invalid_token`, `invalid_device_proof`, `conflict`,
 * `session_ended`, `unavailable`.
 */
export function registerDeviceKey(
  node: Node,
  input: RegisterDeviceKeyInput,
  by: By,
): Promise<FreshBinding> {
  return countedBinding(
    node,
    'registration',
    () => register(node, input, by),
    () => 'bound',
  );
}

async function register(
  node: Node,
  { sessionId, proof: text }: RegisterDeviceKeyInput,
  by: By,
): Promise<FreshBinding> {
  if (sessionId === null) throw new LatchkeyError('invalid_token', { detail: 'no refresh cookie' });
  const proof = readProof(node, sessionId, text);
  const challenge = { text: proof.challenge, purpose: 'registration', now: node.now() } as const;
  if (!isRecentChallenge(node.secrets.boundSessionKey, sessionId, challenge)) {
    throw invalidDeviceProof('not a recent challenge of this session');
  }
  const deviceKey = registeredKey(proof);
  if (deviceKey === null) throw invalidDeviceProof('not signed by the key that it names');
  const { readers, handler } = node.cells.of(sessionId);
  return handler.run(sessionId, async () => {
    const record = await findSession(readers, sessionId);
    if (record === null) throw new LatchkeyError('invalid_token', { detail: 'no such session' });
    const { status, deviceType, endedAt } = record.state;
    if (status === 'ended') throw sessionEnded(endedAt!);
    const change = changeSession(sessionId, record, {
      type: 'BindDeviceKey',
      now: node.now(),
      deviceKey,
      ...clockFor(deviceType, node.config),
    });
    return append(by, [change], () => {
      if (change.refusal !== undefined) throw sessionEnded(change.state.endedAt!);
      return freshBinding(node, sessionId, deviceKey.jkt);
    });
  });
}

function sessionEnded(endedAt: number): LatchkeyError {
  const facts = { ended_at: toTime(endedAt) };
  return new LatchkeyError('session_ended', { detail: 'the session to bind has ended', facts });
}
