import { fold } from '../../../src/domain/kernel/decider.ts';
import {
  type GeneratedKey,
  keysetDecider,
  type RotateKeys,
} from '../../../src/domain/keyset/decide.ts';
import type { KeysetEvent } from '../../../src/domain/keyset/events.ts';
import { evolveKeyset, initialKeyset } from '../../../src/domain/keyset/state.ts';
import { specificationFor } from '../../support/decider-specification.ts';

export const { given } = specificationFor(keysetDecider);
export const now = 1_700_000_000_000;
export const retireMs = 7_200_000;

export const key = (kid: string): GeneratedKey => ({
  kid,
  alg: 'ES256',
  jwk: { kty: 'EC', x: kid },
});
export const generated = (kid: string, at = now): KeysetEvent => ({
  type: 'KeyGenerated',
  data: { at, kid, alg: 'ES256', jwk: { kty: 'EC', x: kid } },
});
export const activated = (kid: string, at = now): KeysetEvent => ({
  type: 'KeyActivated',
  data: { at, kid },
});
export const retired = (kid: string, at = now): KeysetEvent => ({
  type: 'KeyRetired',
  data: { at, kid, removeAfter: at + retireMs },
});
export const revoked = (kid: string, at = now): KeysetEvent => ({
  type: 'KeyRevoked',
  data: { at, kid },
});
export const removed = (kid: string, at = now): KeysetEvent => ({
  type: 'KeyRemoved',
  data: { at, kid },
});

/** k1 active, k2 and k3 pending. */
export const fresh = [generated('k1'), generated('k2'), generated('k3'), activated('k1')];
/** k1 retiring since `now`, k2 active, k3 and k4 pending. */
export const rotatedOnce = [...fresh, retired('k1'), activated('k2'), generated('k4')];
export const everyKid = ['k1', 'k2', 'k3', 'k4', 'k5', 'k6'];

export function rotateTo(kid: string, at: number, change: Partial<RotateKeys> = {}): RotateKeys {
  return {
    type: 'RotateKeys',
    now: at,
    newKey: key(kid),
    usableKids: everyKid,
    announceSeconds: 0,
    retireForSeconds: 7200,
    jwksMaxKeys: 5,
    ...change,
  };
}

export const stateAfter = (events: KeysetEvent[]) => fold(evolveKeyset, initialKeyset, events);
