import { accept, type Decider, type Decision } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import type { KeysetEvent, SigningAlgorithm } from './events.ts';
import { activeKey, pendingKey, publishedKeys } from './published.ts';
import { evolveKeyset, initialKeyset, type KeysetKey, type KeysetState } from './state.ts';

/** The public part of a new key; its private part is stored, wrapped, in the same transaction. */
export interface GeneratedKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly jwk: { readonly [member: string]: string };
}

/** `generated` holds at least `keysMissing(state)` keys; the rest is not used. */
export interface EnsureKeys {
  readonly type: 'EnsureKeys';
  readonly now: number;
  readonly generated: readonly GeneratedKey[];
}

/** `retireForSeconds`: at least the longest access life and the skew. */
export interface RotateKeys {
  readonly type: 'RotateKeys';
  readonly now: number;
  readonly newKey: GeneratedKey;
  readonly retireForSeconds: number;
  readonly jwksMaxKeys: number;
}

/**
 * `newKey` must be there where `needsReplacement(state, kid)` says so, and is not used elsewhere.
 */
export interface RevokeKey {
  readonly type: 'RevokeKey';
  readonly now: number;
  readonly kid: string;
  readonly newKey?: GeneratedKey;
}

/**
 * A revoked key stays on record for `keepRevokedForSeconds`: as long as its tokens would have
 * lived.
 */
export interface RemoveRetired {
  readonly type: 'RemoveRetired';
  readonly now: number;
  readonly keepRevokedForSeconds: number;
}

export type KeysetCommand = EnsureKeys | RotateKeys | RevokeKey | RemoveRetired;

/** Throws `conflict` (with the seconds to wait) and `not_found`. */
export const keysetDecider: Decider<KeysetState, KeysetCommand, KeysetEvent> = {
  initialState: initialKeyset,
  evolve: evolveKeyset,
  decide: decideKeyset,
};

export function decideKeyset(state: KeysetState, command: KeysetCommand): Decision<KeysetEvent> {
  switch (command.type) {
    case 'EnsureKeys':
      return ensure(state, command);
    case 'RotateKeys':
      return rotate(state, command);
    case 'RevokeKey':
      return revoke(state, command);
    case 'RemoveRetired':
      return accept(...removals(state, command.now, command.keepRevokedForSeconds));
  }
}

/**
 * How many keys EnsureKeys has to generate: a pending key takes the place of a missing active one.
 */
export function keysMissing(state: KeysetState): number {
  const present = [activeKey(state), pendingKey(state)].filter((key) => key !== undefined);
  return 2 - present.length;
}

/** Whether revoking `kid` leaves a place that a new key must take. */
export function needsReplacement(state: KeysetState, kid: string): boolean {
  const status = state.keys.find((key) => key.kid === kid)?.status;
  return status === 'active' || status === 'pending';
}

function ensure(state: KeysetState, { now, generated }: EnsureKeys): Decision<KeysetEvent> {
  const fresh = generated.slice(0, keysMissing(state));
  if (fresh.length < keysMissing(state)) throw new Error('too few generated keys');
  const events: KeysetEvent[] = fresh.map((key) => generation(state, key, now));
  if (activeKey(state) === undefined) {
    const kid = pendingKey(state)?.kid ?? fresh[0]!.kid;
    events.push({ type: 'KeyActivated', data: { at: now, kid } });
  }
  return accept(...events);
}

function rotate(state: KeysetState, command: RotateKeys): Decision<KeysetEvent> {
  const { now, newKey, jwksMaxKeys } = command;
  const [active, pending] = [activeKey(state), pendingKey(state)];
  if (!active || !pending) throw new Error('an active and a pending key always exist');
  const finished = publishedKeys(state).filter((key) => isFinished(key, now));
  if (publishedKeys(state).length - finished.length + 1 > jwksMaxKeys) throw full(state, now);
  return accept(
    ...finished.map((key) => removal(key, now)),
    {
      type: 'KeyRetired',
      data: { at: now, kid: active.kid, removeAfter: now + command.retireForSeconds * 1000 },
    },
    { type: 'KeyActivated', data: { at: now, kid: pending.kid } },
    generation(state, newKey, now),
  );
}

function revoke(state: KeysetState, { now, kid, newKey }: RevokeKey): Decision<KeysetEvent> {
  const key = state.keys.find((candidate) => candidate.kid === kid);
  if (key === undefined) throw new LatchkeyError('not_found');
  if (key.status === 'revoked') return accept();
  const events: KeysetEvent[] = [{ type: 'KeyRevoked', data: { at: now, kid } }];
  if (key.status === 'active') {
    const pending = pendingKey(state);
    if (pending === undefined) throw new Error('an active and a pending key always exist');
    events.push({ type: 'KeyActivated', data: { at: now, kid: pending.kid } });
  }
  if (needsReplacement(state, kid)) {
    if (newKey === undefined) throw new Error('revoking this key needs a new one');
    events.push(generation(state, newKey, now));
  }
  return accept(...events);
}

function removals(state: KeysetState, now: number, keepRevokedForSeconds: number): KeysetEvent[] {
  const keepMs = keepRevokedForSeconds * 1000;
  return state.keys
    .filter(
      (key) => isFinished(key, now) || (key.revokedAt !== null && now >= key.revokedAt + keepMs),
    )
    .map((key) => removal(key, now));
}

/** Whether no token that a retiring key signed is live any more. */
function isFinished(key: KeysetKey, now: number): boolean {
  return key.status === 'retiring' && key.removeAfter !== null && now >= key.removeAfter;
}

function removal(key: KeysetKey, now: number): KeysetEvent {
  return { type: 'KeyRemoved', data: { at: now, kid: key.kid } };
}

function generation(state: KeysetState, key: GeneratedKey, now: number): KeysetEvent {
  if (state.keys.some((other) => other.kid === key.kid)) throw new Error('a kid is used once');
  return {
    type: 'KeyGenerated',
    data: { at: now, kid: key.kid, alg: key.alg, jwk: { ...key.jwk } },
  };
}

/**
 * The JWKS is full of keys with live tokens: none is dropped, the rotation waits for the first that
 * may go.
 */
function full(state: KeysetState, now: number): LatchkeyError {
  const times = state.keys.flatMap((key) => (key.status === 'retiring' ? key.removeAfter! : []));
  return new LatchkeyError('conflict', {
    detail: 'every published key is still needed',
    ...(times.length === 0
      ? {}
      : { retryAfterSeconds: Math.ceil((Math.min(...times) - now) / 1000) }),
  });
}
