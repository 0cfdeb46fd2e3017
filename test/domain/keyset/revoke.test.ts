import { describe, expect, it } from 'vitest';
import { needsReplacement } from '../../../src/domain/keyset/decide.ts';
import { publishedKeys } from '../../../src/domain/keyset/published.ts';
import {
  activated,
  everyKid,
  fresh,
  generated,
  given,
  key,
  now,
  removed,
  revoked,
  rotatedOnce,
  stateAfter,
} from './keysets.ts';

describe('revoking a key', () => {
  const revoke = (kid: string, newKid?: string, usableKids: readonly string[] = everyKid) =>
    ({
      type: 'RevokeKey',
      now,
      kid,
      usableKids,
      ...(newKid === undefined ? {} : { newKey: key(newKid) }),
    }) as const;

  // Fails when a revoked key stays in `publishedKeys`, or the active one is not replaced.
  it('D3: that signs promotes the older pending key at once, and two stay announced', () => {
    const outcome = given(...fresh).when(revoke('k1', 'k4'));
    outcome.thenRecords(revoked('k1'), generated('k4'), activated('k2'));
    expect(publishedKeys(outcome.state()).map(({ kid }) => kid)).toStrictEqual(['k2', 'k3', 'k4']);
  });

  it('D3: just after a rotation promotes a key that was announced before it', () => {
    given(...rotatedOnce)
      .when(revoke('k2', 'k5'))
      .thenRecords(revoked('k2'), generated('k5'), activated('k3'));
  });

  it('B1: skips pending keys that do not open, and waits for none', () => {
    given(...fresh)
      .when(revoke('k1', 'k4', ['k3']))
      .thenRecords(revoked('k1'), generated('k4'), activated('k3'));
    given(...fresh)
      .when(revoke('k1', 'k4', []))
      .thenRecords(revoked('k1'), generated('k4'), activated('k4'));
  });

  it('that is pending announces another', () => {
    given(...fresh)
      .when(revoke('k2', 'k4'))
      .thenRecords(revoked('k2'), generated('k4'));
  });

  it('that is retiring needs no other', () => {
    given(...rotatedOnce)
      .when(revoke('k1', 'k5'))
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
  });
});
