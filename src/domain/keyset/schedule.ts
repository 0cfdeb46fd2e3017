import type { KeysetKey } from '@latchkey/contract/keyset-key';
import { limits } from '../kernel/limits.ts';
import { activeKey, pendingKeys, publishedKeys } from './published.ts';
import type { KeysetState } from './state.ts';

/** When keys change by themselves. */
export interface KeySchedule {
  /** How long a key signs. */
  readonly rotationSeconds: number;
  /** How long a key is published before the schedule lets it sign. */
  readonly announceSeconds: number;
  readonly jwksMaxKeys: number;
}

/**
 * What keeps a rotation back beyond its time: the pending key has not been published long enough,
 * every published key is still needed, or no pending key opens.
 */
export type RotationWait = 'announcement' | 'full_jwks' | 'usable_key';

export interface NextRotation {
  /** Epoch milliseconds; null when no time can be named. */
  readonly at: number | null;
  /** null: the rotation comes when the active key has signed long enough. */
  readonly waitsFor: RotationWait | null;
}

/**
 * When the schedule rotates next, as far as this keyset says; at null with nothing to wait for there
 * is no key yet. `usableKids`: the pending keys whose private part was opened and proven.
 */
export function nextRotation(
  state: KeysetState,
  { rotationSeconds, announceSeconds, jwksMaxKeys }: KeySchedule,
  usableKids: readonly string[],
): NextRotation {
  const active = activeKey(state);
  if (active === undefined) return { at: null, waitsFor: null };
  const next = pendingKeys(state).find(({ kid }) => usableKids.includes(kid));
  if (next === undefined) return { at: null, waitsFor: 'usable_key' };
  const room = roomFrom(publishedKeys(state), jwksMaxKeys);
  if (room === null) return { at: null, waitsFor: 'full_jwks' };
  const scheduled = active.activatedAt! + rotationSeconds * 1000;
  const announced = announcedFrom(next, announceSeconds);
  const at = Math.max(scheduled, announced, room);
  if (at === scheduled) return { at, waitsFor: null };
  return { at, waitsFor: at === announced ? 'announcement' : 'full_jwks' };
}

/**
 * From when on the JWKS has room for one more key, because tokens of retiring ones have expired;
 * null when that is never.
 */
export function roomFrom(published: readonly KeysetKey[], jwksMaxKeys: number): number | null {
  const mustGo = published.length + 1 - jwksMaxKeys;
  if (mustGo <= 0) return 0;
  const times = published.flatMap((key) => (key.status === 'retiring' ? key.removeAfter! : []));
  return times.toSorted((a, b) => a - b)[mustGo - 1] ?? null;
}

/** From when on a key has been published for `announceSeconds`. */
export function announcedFrom({ generatedAt }: KeysetKey, announceSeconds: number): number {
  return generatedAt + announceSeconds * 1000;
}

/** How long a key must be published before every verifier has fetched a JWKS with it. */
export function announceSecondsMin({
  maxAgeSeconds,
  clientCacheSeconds,
  clockSkewSeconds,
}: {
  readonly maxAgeSeconds: number;
  readonly clientCacheSeconds: number;
  readonly clockSkewSeconds: number;
}): number {
  return maxAgeSeconds + clientCacheSeconds + clockSkewSeconds;
}

/** For how long a key verifies after its last signature: until that token has expired everywhere. */
export function retiringSeconds(longestAccessTtlSeconds: number, clockSkewSeconds: number): number {
  return longestAccessTtlSeconds + clockSkewSeconds + limits.revocationMarginSeconds;
}
