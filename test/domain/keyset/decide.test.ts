import { describe, expect, it } from 'vitest';
import { keysMissing } from '../../../src/domain/keyset/decide.ts';
import { activeKey, pendingKeys, publishedKeys } from '../../../src/domain/keyset/published.ts';
import {
  activated,
  fresh,
  generated,
  given,
  key,
  now,
  removed,
  retired,
  retireMs,
  revoked,
  rotatedOnce,
  rotateTo,
  stateAfter,
} from './keysets.ts';

describe('ensuring keys', () => {
  const demand = { alg: 'ES256', unusableKids: [] as string[] } as const;
  const ensure = (...kids: string[]) =>
    ({ type: 'EnsureKeys', now, ...demand, generated: kids.map(key) }) as const;

  it('D3: generates an active and two pending keys', () => {
    given()
      .when(ensure('k1', 'k2', 'k3'))
      .thenRecords(...fresh);
  });

  it('is nothing where all exist', () => {
    given(...fresh)
      .when(ensure())
      .thenRecords();
    given(...fresh)
      .when(ensure('k8', 'k9'))
      .thenRecords();
  });

  it('promotes a lone pending key', () => {
    given(generated('k1'))
      .when(ensure('k2', 'k3'))
      .thenRecords(generated('k2'), generated('k3'), activated('k1'));
  });

  it('announces pending keys beside a lone active one', () => {
    given(generated('k1'), activated('k1'))
      .when(ensure('k2', 'k3', 'k4'))
      .thenRecords(generated('k2'), generated('k3'));
  });

  // Fails when `misfits` looks at no algorithm: two rotations pass before the new one signs.
  it('B12: replaces pending keys of another algorithm, and leaves the active one alone', () => {
    const outcome = given(...fresh).when({
      type: 'EnsureKeys',
      now,
      alg: 'EdDSA',
      unusableKids: [],
      generated: [key('k4'), key('k5')],
    });
    outcome.thenRecords(removed('k2'), removed('k3'), generated('k4'), generated('k5'));
    expect(activeKey(outcome.state())?.kid).toBe('k1');
  });

  it('B1: replaces a pending key that does not open', () => {
    given(...fresh)
      .when({ type: 'EnsureKeys', now, alg: 'ES256', unusableKids: ['k2'], generated: [key('k4')] })
      .thenRecords(removed('k2'), generated('k4'));
  });

  it('breaks on too few keys and on a kid used before', () => {
    given()
      .when(ensure('k1', 'k2'))
      .thenBreaks(/too few/);
    given(generated('k1'), revoked('k1'))
      .when(ensure('k1', 'k2', 'k3'))
      .thenBreaks(/used once/);
  });

  it('says beforehand how many keys it needs', () => {
    expect(keysMissing(stateAfter([]), demand)).toBe(3);
    expect(keysMissing(stateAfter([generated('k1')]), demand)).toBe(2);
    expect(keysMissing(stateAfter(fresh), demand)).toBe(0);
    expect(keysMissing(stateAfter(fresh), { ...demand, unusableKids: ['k1', 'k3'] })).toBe(1);
    expect(keysMissing(stateAfter(fresh), { ...demand, alg: 'RS256' })).toBe(2);
  });
});

describe('rotating keys', () => {
  it('D3: promotes the older pending key and announces a new one', () => {
    given(...fresh)
      .when(rotateTo('k4', now))
      .thenRecords(retired('k1'), activated('k2'), generated('k4'));
  });

  it('leaves one active and two pending keys, and publishes the retiring one', () => {
    const state = given(...fresh)
      .when(rotateTo('k4', now))
      .state();
    expect(activeKey(state)?.kid).toBe('k2');
    expect(pendingKeys(state).map(({ kid }) => kid)).toStrictEqual(['k3', 'k4']);
    expect(publishedKeys(state).map(({ kid, status }) => [kid, status])).toStrictEqual([
      ['k1', 'retiring'],
      ['k2', 'active'],
      ['k3', 'pending'],
      ['k4', 'pending'],
    ]);
  });

  // Fails when `rotate` drops the oldest retiring key instead of refusing: its live tokens would be
  // refused.
  it('B12: never drops a key with live tokens for room in the JWKS, and says until when', () => {
    const almost = now + retireMs - 1500;
    given(...rotatedOnce)
      .when(rotateTo('k5', almost, { jwksMaxKeys: 4 }))
      .thenRefuses('conflict', {
        retryAfterSeconds: 2,
        facts: { possible_at: now + retireMs },
      });
    given(...rotatedOnce)
      .when(rotateTo('k5', almost))
      .thenRecords(retired('k2', almost), activated('k3', almost), generated('k5', almost));
  });

  it('waits for the first of several retiring keys', () => {
    const later = now + 1000;
    given(...rotatedOnce, retired('k2', later), activated('k3', later), generated('k5', later))
      .when(rotateTo('k6', later))
      .thenRefuses('conflict', { facts: { possible_at: now + retireMs } });
  });

  it('makes room with keys whose tokens have all expired', () => {
    const later = now + retireMs;
    given(...rotatedOnce)
      .when(rotateTo('k5', later, { jwksMaxKeys: 4 }))
      .thenRecords(
        removed('k1', later),
        retired('k2', later),
        activated('k3', later),
        generated('k5', later),
      );
  });

  it('has no room where the JWKS holds no retiring key, and nothing to wait for', () => {
    given(...fresh)
      .when(rotateTo('k4', now, { jwksMaxKeys: 3 }))
      .thenRefuses('conflict', { retryAfterSeconds: undefined });
  });

  it('does not count revoked keys, which are not published', () => {
    given(...rotatedOnce, revoked('k1'))
      .when(rotateTo('k5', now, { jwksMaxKeys: 4 }))
      .thenRecords(retired('k2'), activated('k3'), generated('k5'));
  });

  // Fails when `rotate` promotes the oldest pending key whoever can open it.
  it('B1: promotes no key that a node could not open', () => {
    given(...fresh)
      .when(rotateTo('k4', now, { usableKids: ['k3'] }))
      .thenRecords(retired('k1'), activated('k3'), generated('k4'));
    given(...fresh)
      .when(rotateTo('k4', now, { usableKids: ['k1'] }))
      .thenRefuses('conflict');
  });

  // Fails when `rotate` looks at no age: verifiers that cache the JWKS refuse the new key's tokens.
  it('D3: waits until the next key was announced, and says until when', () => {
    const announceSeconds = 600;
    const announced = now + announceSeconds * 1000;
    given(...fresh)
      .when(rotateTo('k4', announced - 1, { announceSeconds }))
      .thenRefuses('conflict', { retryAfterSeconds: 1, facts: { possible_at: announced } });
    given(...fresh)
      .when(rotateTo('k4', announced, { announceSeconds }))
      .thenRecords(
        retired('k1', announced),
        activated('k2', announced),
        generated('k4', announced),
      );
  });

  it('D3: counts the age of the key that would sign, not of one that does not open', () => {
    const announceSeconds = 600;
    const made = now + 1000;
    const young = [...fresh, generated('k4', made)];
    given(...young)
      .when(rotateTo('k5', now + 600_000, { announceSeconds, usableKids: ['k4'] }))
      .thenRefuses('conflict', { facts: { possible_at: made + 600_000 } });
  });

  it('waits for the later of room and announcement', () => {
    const full = { jwksMaxKeys: 4 } as const;
    for (const announceSeconds of [retireMs / 1000 - 1, retireMs / 1000 + 1]) {
      given(...rotatedOnce)
        .when(rotateTo('k5', now, { ...full, announceSeconds }))
        .thenRefuses('conflict', {
          facts: { possible_at: now + Math.max(retireMs, announceSeconds * 1000) },
        });
    }
  });

  it('breaks on a keyset without its keys and on a kid used before', () => {
    given()
      .when(rotateTo('k1', now))
      .thenBreaks(/always exist/);
    given(generated('k1'), activated('k1'))
      .when(rotateTo('k2', now))
      .thenBreaks(/always exist/);
    given(generated('k1'))
      .when(rotateTo('k2', now))
      .thenBreaks(/always exist/);
    given(...fresh)
      .when(rotateTo('k2', now))
      .thenBreaks(/used once/);
  });
});
