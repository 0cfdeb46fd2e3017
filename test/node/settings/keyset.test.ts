import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/node/config.ts';
import { refusedSettings } from '../../support/refused-settings.ts';

const daily = { KEY_ROTATION_SECONDS: '86400' };
/** An iot token lives six hours: with skew and margin three keys retire at a time. */
const often = { KEY_ROTATION_SECONDS: '10000', KEY_ANNOUNCE_SECONDS: '1205' };

describe('times of keys that contradict each other are refused', () => {
  test.each([
    ['shorter than max-age, cache and skew', { KEY_ANNOUNCE_SECONDS: '1204' }],
    ['shorter with a slower verifier', { JWKS_CLIENT_CACHE_SECONDS: '431696' }],
    ['longer than two rotations', { ...daily, KEY_ANNOUNCE_SECONDS: '172801' }],
  ])('an announcement that is %s', (_, env) => {
    expect(refusedSettings(env)).toEqual(['KEY_ANNOUNCE_SECONDS']);
  });

  test('a JWKS without room for all keys that retire at a time', () => {
    expect(refusedSettings({ ...often, JWKS_MAX_KEYS: '5' })).toEqual(['JWKS_MAX_KEYS']);
  });
});

// Fails when one of those bounds is off by one.
test('times that just fit are accepted', () => {
  expect(refusedSettings({ KEY_ANNOUNCE_SECONDS: '1205' })).toEqual([]);
  expect(refusedSettings({ JWKS_CLIENT_CACHE_SECONDS: '431695' })).toEqual([]);
  expect(refusedSettings({ ...daily, KEY_ANNOUNCE_SECONDS: '172800' })).toEqual([]);
  expect(refusedSettings({ ...often, JWKS_MAX_KEYS: '6' })).toEqual([]);
});

test('KEY_ALGORITHM=EdDSA is accepted with a warning that names its successor', () => {
  const config = loadConfig({ KEY_ALGORITHM: 'EdDSA' });
  expect(config.keyset.algorithm).toBe('EdDSA');
  expect(config.warnings).toEqual([expect.stringContaining('RFC 9864 calls Ed25519')]);
  expect(loadConfig({ KEY_ALGORITHM: 'Ed25519' }).warnings).toEqual([]);
});
