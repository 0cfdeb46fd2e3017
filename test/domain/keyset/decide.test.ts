import { describe, expect, it } from 'vitest';
import { fold } from '../../../src/domain/kernel/decider.ts';
import {
  type GeneratedKey,
  keysetDecider,
  keysMissing,
  needsReplacement,
  type RotateKeys,
} from '../../../src/domain/keyset/decide.ts';
import type { KeysetEvent } from '../../../src/domain/keyset/events.ts';
import { activeKey, pendingKey, publishedKeys } from '../../../src/domain/keyset/published.ts';
import { evolveKeyset, initialKeyset } from '../../../src/domain/keyset/state.ts';
import { specificationFor } from '../../support/decider-specification.ts';

const { given } = specificationFor(keysetDecider);
const now = 1_700_000_000_000;
const retireMs = 7_200_000;

const key = (kid: string): GeneratedKey => ({ kid, alg: 'ES256', jwk: { kty: 'EC', x: kid } });
const generated = (kid: string, at = now): KeysetEvent => ({
  type: 'KeyGenerated',
  data: { at, kid, alg: 'ES256', jwk: { kty: 'EC', x: kid } },
});
const activated = (kid: string, at = now): KeysetEvent => ({
  type: 'KeyActivated',
  data: { at, kid },
});
const retired = (kid: string, at = now): KeysetEvent => ({
  type: 'KeyRetired',
  data: { at, kid, removeAfter: at + retireMs },
});
const revoked = (kid: string, at = now): KeysetEvent => ({ type: 'KeyRevoked', data: { at, kid } });
const removed = (kid: string, at = now): KeysetEvent => ({ type: 'KeyRemoved', data: { at, kid } });

/** k1 active, k2 pending. */
const fresh = [generated('k1'), generated('k2'), activated('k1')];
/** k1 retiring since `now`, k2 active, k3 pending. */
const rotatedOnce = [...fresh, retired('k1'), activated('k2'), generated('k3')];

function rotateTo(kid: string, at: number, jwksMaxKeys = 5): RotateKeys {
  return { type: 'RotateKeys', now: at, newKey: key(kid), retireForSeconds: 7200, jwksMaxKeys };
}

const stateAfter = (events: KeysetEvent[]) => fold(evolveKeyset, initialKeyset, events);

describe('ensuring keys', () => {
  const ensure = (...kids: string[]) =>
    ({ type: 'EnsureKeys', now, generated: kids.map(key) }) as const;

  it('generates an active and a pending key', () => {
    given()
      .when(ensure('k1', 'k2'))
      .thenRecords(...fresh);
  });

  it('is nothing where both exist', () => {
    given(...fresh)
      .when(ensure())
      .thenRecords();
    given(...fresh)
      .when(ensure('k8', 'k9'))
      .thenRecords();
  });

  it('promotes a lone pending key', () => {
    given(generated('k1')).when(ensure('k2')).thenRecords(generated('k2'), activated('k1'));
  });

  it('announces a pending key beside a lone active one', () => {
    given(generated('k1'), activated('k1')).when(ensure('k2', 'k3')).thenRecords(generated('k2'));
  });

  it('breaks on too few keys and on a kid used before', () => {
    given()
      .when(ensure('k1'))
      .thenBreaks(/too few/);
    given(generated('k1'), revoked('k1'))
      .when(ensure('k1', 'k2'))
      .thenBreaks(/used once/);
  });

  it('says beforehand how many keys it needs', () => {
    expect(keysMissing(stateAfter([]))).toBe(2);
    expect(keysMissing(stateAfter([generated('k1')]))).toBe(1);
    expect(keysMissing(stateAfter(fresh))).toBe(0);
  });
});

describe('rotating keys', () => {
  it('promotes the pending key at once and announces the new one', () => {
    given(...fresh)
      .when(rotateTo('k3', now))
      .thenRecords(retired('k1'), activated('k2'), generated('k3'));
  });

  it('leaves one active and one pending key, and publishes the retiring one', () => {
    const state = given(...fresh)
      .when(rotateTo('k3', now))
      .state();
    expect(activeKey(state)?.kid).toBe('k2');
    expect(pendingKey(state)?.kid).toBe('k3');
    expect(publishedKeys(state).map(({ kid, status }) => [kid, status])).toStrictEqual([
      ['k1', 'retiring'],
      ['k2', 'active'],
      ['k3', 'pending'],
    ]);
  });

  // Fails when `rotate` drops the oldest retiring key instead of refusing: its live tokens would be
  // refused.
  it('never drops a key with live tokens for room in the JWKS', () => {
    const full = now + retireMs - 1500;
    given(...rotatedOnce)
      .when(rotateTo('k4', full, 3))
      .thenRefuses('conflict', { retryAfterSeconds: 2 });
    given(...rotatedOnce)
      .when(rotateTo('k4', full, 4))
      .thenRecords(retired('k2', full), activated('k3', full), generated('k4', full));
  });

  it('makes room with keys whose tokens have all expired', () => {
    const later = now + retireMs;
    given(...rotatedOnce)
      .when(rotateTo('k4', later, 3))
      .thenRecords(
        removed('k1', later),
        retired('k2', later),
        activated('k3', later),
        generated('k4', later),
      );
  });

  it('has no room where the JWKS holds two keys only, and nothing to wait for', () => {
    given(...fresh)
      .when(rotateTo('k3', now, 2))
      .thenRefuses('conflict', { retryAfterSeconds: undefined });
  });

  it('does not count revoked keys, which are not published', () => {
    given(...rotatedOnce, revoked('k1'))
      .when(rotateTo('k4', now, 3))
      .thenRecords(retired('k2'), activated('k3'), generated('k4'));
  });

  it('breaks on a keyset without its two keys and on a kid used before', () => {
    given()
      .when(rotateTo('k1', now))
      .thenBreaks(/always exist/);
    given(...fresh)
      .when(rotateTo('k2', now))
      .thenBreaks(/used once/);
  });
});

describe('revoking a key', () => {
  const revoke = (kid: string, newKid?: string) =>
    ({
      type: 'RevokeKey',
      now,
      kid,
      ...(newKid === undefined ? {} : { newKey: key(newKid) }),
    }) as const;

  // Fails when a revoked key stays in `publishedKeys`, or the active one is not replaced.
  it('that signs promotes the pending key at once', () => {
    const outcome = given(...fresh).when(revoke('k1', 'k3'));
    outcome.thenRecords(revoked('k1'), activated('k2'), generated('k3'));
    expect(publishedKeys(outcome.state()).map(({ kid }) => kid)).toStrictEqual(['k2', 'k3']);
  });

  it('that is pending announces another', () => {
    given(...fresh)
      .when(revoke('k2', 'k3'))
      .thenRecords(revoked('k2'), generated('k3'));
  });

  it('that is retiring needs no other', () => {
    given(...rotatedOnce)
      .when(revoke('k1', 'k4'))
      .thenRecords(revoked('k1'));
  });

  it('is idempotent', () => {
    given(...rotatedOnce, revoked('k1'))
      .when(revoke('k1'))
      .thenRecords();
  });

  it('does not find a key that never was, or is gone', () => {
    given(...fresh)
      .when(revoke('k9'))
      .thenRefuses('not_found');
    given(...rotatedOnce, removed('k1'))
      .when(revoke('k1'))
      .thenRefuses('not_found');
  });

  it('says beforehand whether it needs a new key, and breaks without it', () => {
    const state = stateAfter(rotatedOnce);
    const answers = ['k1', 'k2', 'k3', 'k9'].map((kid) => needsReplacement(state, kid));
    expect(answers).toStrictEqual([false, true, true, false]);
    given(...rotatedOnce)
      .when(revoke('k2'))
      .thenBreaks(/needs a new one/);
    given(...rotatedOnce)
      .when(revoke('k3'))
      .thenBreaks(/needs a new one/);
    given(generated('k1'), activated('k1'))
      .when(revoke('k1', 'k2'))
      .thenBreaks(/always exist/);
  });
});

describe('removing keys that nobody needs any more', () => {
  const remove = (at: number) =>
    ({ type: 'RemoveRetired', now: at, keepRevokedForSeconds: 3600 }) as const;

  // Fails when a retiring key is removed before its time.
  it('waits until a retiring key’s tokens have all expired', () => {
    given(...rotatedOnce)
      .when(remove(now + retireMs - 1))
      .thenRecords();
    given(...rotatedOnce)
      .when(remove(now + retireMs))
      .thenRecords(removed('k1', now + retireMs));
  });

  it('keeps a revoked key on record as long as its tokens would have lived', () => {
    const history = [...rotatedOnce, revoked('k1')];
    given(...history)
      .when(remove(now + 3_599_999))
      .thenRecords();
    given(...history)
      .when(remove(now + 3_600_000))
      .thenRecords(removed('k1', now + 3_600_000));
  });

  it('never removes the active or the pending key', () => {
    given(...fresh)
      .when(remove(now + 1000 * retireMs))
      .thenRecords();
    given().when(remove(now)).thenRecords();
  });
});
