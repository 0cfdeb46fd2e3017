import type { KeysetKey } from '@latchkey/contract/keyset-key';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import { accept, type Decider, type Decision, fold } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import type { KeysetEvent } from './events.ts';
import { activeKey, pendingKeys, publishedKeys } from './published.ts';
import { announcedFrom, type KeySchedule, nextRotation, roomFrom } from './schedule.ts';
import { evolveKeyset, initialKeyset, type KeysetState } from './state.ts';

/** The public part of a new key; its private part is stored, wrapped, in the same transaction. */
export interface GeneratedKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly jwk: { readonly [member: string]: string };
}

/** What a keyset is to hold beside its retiring keys. */
export interface KeyDemand {
  /** Of every pending key: one of another algorithm is replaced. */
  readonly alg: SigningAlgorithm;
  /** Pending keys whose private part does not open: they are replaced too. */
  readonly unusableKids: readonly string[];
}

/** `generated` holds at least `keysMissing(state, command)` keys; the rest is not used. */
export interface EnsureKeys extends KeyDemand {
  readonly type: 'EnsureKeys';
  readonly now: number;
  readonly generated: readonly GeneratedKey[];
}

/**
 * `announceSeconds`: how long the next key must have been published; with 0 it signs whatever its
 * age, and who caches the JWKS may refuse its tokens. `retireForSeconds`: at least the longest access
 * life and the skew. `usableKids`: the pending keys that may sign next, because their private part
 * was opened and proven.
 */
export interface RotateKeys {
  readonly type: 'RotateKeys';
  readonly now: number;
  readonly newKey: GeneratedKey;
  readonly usableKids: readonly string[];
  readonly announceSeconds: number;
  readonly retireForSeconds: number;
  readonly jwksMaxKeys: number;
}

/**
 * `newKey` must be there where `needsReplacement(state, kid)` says so, and is not used elsewhere.
 * An emergency waits for nobody: it signs itself where no pending key is among `usableKids`.
 */
export interface RevokeKey {
  readonly type: 'RevokeKey';
  readonly now: number;
  readonly kid: string;
  readonly usableKids: readonly string[];
  readonly newKey?: GeneratedKey;
}

/**
 * What time does to a keyset: it removes keys whose last token has expired, and rotates when the
 * schedule says so. `newKey` must be there where `isRotationDue(state, command)`. A revoked key stays
 * on record for `keepRevokedForSeconds`: as long as its tokens would have lived.
 */
export interface TickKeys extends KeySchedule, Omit<RotateKeys, 'type' | 'newKey'> {
  readonly type: 'TickKeys';
  readonly newKey?: GeneratedKey;
  readonly keepRevokedForSeconds: number;
}

export type KeysetCommand = EnsureKeys | RotateKeys | RevokeKey | TickKeys;

/** Throws `conflict` (with the seconds to wait) and `not_found`. */
export const keysetDecider: Decider<KeysetState, KeysetCommand, KeysetEvent> = {
  initialState: initialKeyset,
  evolve: evolveKeyset,
  decide: decideKeyset,
};

function decideKeyset(state: KeysetState, command: KeysetCommand): Decision<KeysetEvent> {
  switch (command.type) {
    case 'EnsureKeys':
      return ensure(state, command);
    case 'RotateKeys':
      return rotate(state, command);
    case 'RevokeKey':
      return revoke(state, command);
    case 'TickKeys':
      return tick(state, command);
  }
}

/**
 * Two, so that an emergency promotes a key that verifiers already hold, even just after a rotation.
 */
const pendingKeysWanted = 2;

/**
 * How many keys EnsureKeys has to generate: a pending key takes the place of a missing active one.
 */
export function keysMissing(state: KeysetState, demand: KeyDemand): number {
  const present = pendingKeys(state).length - misfits(state, demand).length;
  const active = activeKey(state) === undefined ? 0 : 1;
  return Math.max(0, 1 + pendingKeysWanted - active - present);
}

/** Pending keys that must never sign. Nothing was signed with them, so they may go at once. */
function misfits(state: KeysetState, { alg, unusableKids }: KeyDemand): readonly KeysetKey[] {
  return pendingKeys(state).filter((key) => key.alg !== alg || unusableKids.includes(key.kid));
}

/** Whether revoking `kid` leaves a place that a new key must take. */
export function needsReplacement(state: KeysetState, kid: string): boolean {
  const status = state.keys.find((key) => key.kid === kid)?.status;
  return status === 'active' || status === 'pending';
}

function ensure(state: KeysetState, command: EnsureKeys): Decision<KeysetEvent> {
  const { now, generated } = command;
  const missing = keysMissing(state, command);
  const fresh = generated.slice(0, missing);
  if (fresh.length < missing) throw new Error('too few generated keys');
  const gone = misfits(state, command);
  const events: KeysetEvent[] = [
    ...gone.map((key) => removal(key, now)),
    ...fresh.map((key) => generation(state, key, now)),
  ];
  if (activeKey(state) === undefined) {
    const kid = pendingKeys(state).find((key) => !gone.includes(key))?.kid ?? fresh[0]!.kid;
    events.push({ type: 'KeyActivated', data: { at: now, kid } });
  }
  return accept(...events);
}

function rotate(state: KeysetState, command: RotateKeys): Decision<KeysetEvent> {
  const { now, newKey, usableKids, announceSeconds, jwksMaxKeys } = command;
  const [active, pending] = [activeKey(state), pendingKeys(state)];
  if (!active || pending.length === 0) throw new Error('an active and a pending key always exist');
  const finished = publishedKeys(state).filter((key) => isFinished(key, now));
  const room = roomFrom(publishedKeys(state), jwksMaxKeys);
  if (room === null) throw waits(null, now, stillNeeded);
  const next = pending.find(({ kid }) => usableKids.includes(kid));
  if (next === undefined) {
    throw new LatchkeyError('conflict', {
      detail: 'no pending key opens: restart a node, which replaces them, and rotate again',
    });
  }
  const announced = announcedFrom(next, announceSeconds);
  const from = Math.max(room, announced);
  if (from > now) throw waits(from, now, from === room ? stillNeeded : tooYoung);
  return accept(
    ...finished.map((key) => removal(key, now)),
    {
      type: 'KeyRetired',
      data: { at: now, kid: active.kid, removeAfter: now + command.retireForSeconds * 1000 },
    },
    { type: 'KeyActivated', data: { at: now, kid: next.kid } },
    generation(state, newKey, now),
  );
}

/** Whether a tick now rotates, and so needs a new key. */
export function isRotationDue(
  state: KeysetState,
  command: Pick<TickKeys, 'now' | 'usableKids' | keyof KeySchedule>,
): boolean {
  const { at } = nextRotation(state, command, command.usableKids);
  return at !== null && at <= command.now;
}

function tick(state: KeysetState, command: TickKeys): Decision<KeysetEvent> {
  const { now, newKey, keepRevokedForSeconds } = command;
  const gone = removals(state, now, keepRevokedForSeconds);
  if (!isRotationDue(state, command)) return accept(...gone);
  if (newKey === undefined) throw new Error('a rotation needs a new key');
  const left = fold(evolveKeyset, state, gone);
  const { events } = rotate(left, { ...command, type: 'RotateKeys', newKey });
  return accept(...gone, ...events);
}

function revoke(state: KeysetState, command: RevokeKey): Decision<KeysetEvent> {
  const { now, kid, newKey, usableKids } = command;
  const key = state.keys.find((candidate) => candidate.kid === kid);
  if (key === undefined) throw new LatchkeyError('not_found', { detail: 'no key has this kid' });
  if (key.status === 'revoked') return accept();
  const events: KeysetEvent[] = [{ type: 'KeyRevoked', data: { at: now, kid } }];
  if (!needsReplacement(state, kid)) return accept(...events);
  if (newKey === undefined) throw new Error('revoking this key needs a new one');
  events.push(generation(state, newKey, now));
  if (key.status === 'active') {
    const held = pendingKeys(state).find((pending) => usableKids.includes(pending.kid));
    events.push({ type: 'KeyActivated', data: { at: now, kid: (held ?? newKey).kid } });
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

/** The JWKS is full of keys with live tokens: none is dropped, the rotation waits for room. */
const stillNeeded = 'every published key is still needed';
const tooYoung = 'verifiers that cache the JWKS do not know the next key yet';

/** `possible_at`: epoch milliseconds, where a time can be named. */
function waits(from: number | null, now: number, detail: string): LatchkeyError {
  return new LatchkeyError('conflict', {
    detail,
    ...(from === null
      ? {}
      : {
          retryAfterSeconds: Math.ceil((from - now) / 1000),
          facts: { possible_at: from },
        }),
  });
}
