import { needsNonce } from '@latchkey/verifier/dpop-proof';
import { ProofKeyCache } from '@latchkey/verifier/proof-key';
import { describe, expect, it } from 'vitest';
import { TestDevice } from '../support/dpop.ts';
import { device, outcome, outcomeOf, proofOf, request } from './dpop-outcomes.ts';

describe('the order of the checks', () => {
  const beside = { ...device.jwk, y: device.jwk.x! };
  const other = new TestDevice();
  const [header, payload] = proofOf().split('.') as [string, string];
  const unsigned = `${header}.${payload}.AA`;

  // Fails when the key is imported first: that costs more than all claims together.
  it('looks at the claims before it imports a key', () => {
    expect(outcomeOf({ header: { jwk: beside } })).toBe('jwk');
    expect(outcomeOf({ header: { jwk: beside }, claims: { htm: 'GET' } })).toBe('htm');
    expect(outcomeOf({ header: { jwk: beside }, claims: { iat: 7 } })).toBe('iat');
    expect(outcomeOf({ header: { jwk: beside } }, { isGoodNonce: () => false })).toBe('nonce');
  });

  it('says whether only the nonce is wrong, without a key and a signature', () => {
    const needs = (proof: string, isGood = false) =>
      needsNonce(proof, { ...request, isGoodNonce: () => isGood });
    expect(needs(proofOf({ header: { jwk: beside } }))).toBe(true);
    expect(needs(unsigned)).toBe(true);
    for (const proof of [proofOf({ claims: { htm: 'GET' } }), proofOf({ header: { typ: 'x' } })]) {
      expect(needs(proof)).toBe(false);
    }
    expect(needs(proofOf({ claims: { nonce: 'n' } }), true)).toBe(false);
  });

  // Fails when a foreign key is imported, or its signature checked, only to be refused.
  it('compares the key with the one that the access token is bound to before it imports it', () => {
    const { jkt } = device;
    expect(outcomeOf({}, { jkt })).toBe('ok');
    expect(outcome(unsigned, { jkt })).toBe('signature');
    expect(outcome(unsigned, { jkt: other.jkt })).toBe('key');
    expect(outcomeOf({ header: { jwk: beside } }, { jkt })).toBe('key');
  });

  it('compares the key also where it was seen before', () => {
    const keys = new ProofKeyCache(10);
    expect(outcomeOf({}, { keys })).toBe('ok');
    expect(outcomeOf({}, { keys, jkt: other.jkt })).toBe('key');
    expect(outcomeOf({}, { keys, jkt: device.jkt })).toBe('ok');
  });
});

describe('the keys that were seen before', () => {
  // Fails when a key enters before its signature is checked: anybody could drive all others out.
  it('are those of good proofs only', () => {
    const keys = new ProofKeyCache(10);
    const [header, payload] = proofOf().split('.') as [string, string];
    expect(outcome(`${header}.${payload}.AA`, { keys })).toBe('signature');
    expect(outcomeOf({ claims: { htm: 'GET' } }, { keys })).toBe('htm');
    expect(outcomeOf({}, { keys, isGoodNonce: () => false })).toBe('nonce');
    expect(keys.count).toBe(0);
    expect(outcomeOf({}, { keys })).toBe('ok');
    expect(outcomeOf({}, { keys })).toBe('ok');
    expect(keys.count).toBe(1);
  });

  it('are no more than the bounds, of their number and of their bytes', () => {
    const few = new ProofKeyCache(4);
    const small = new ProofKeyCache(1_000, 20_000);
    for (let turn = 0; turn < 20; turn++) {
      const proof = proofOf({}, new TestDevice());
      for (const keys of [few, small]) expect(outcome(proof, { keys })).toBe('ok');
      expect(few.count).toBeLessThanOrEqual(4);
      expect(small.bytes).toBeLessThanOrEqual(20_000);
    }
    expect(few.count).toBeGreaterThan(1);
    expect(small.count).toBeGreaterThan(1);
  });
});
