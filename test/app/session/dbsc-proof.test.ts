import { verify } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it } from 'vitest';
import { isProofBy, parseDbscProof, registeredKey } from '../../../src/app/session/dbsc-proof.ts';
import { limits } from '../../../src/domain/kernel/limits.ts';
import { newDeviceKey, type TestDeviceKey } from '../../support/device-key.ts';

const keys = [newDeviceKey('ES256'), newDeviceKey('RS256')];
const es256 = keys[0]!;
const other = newDeviceKey();
const slowRsa = newDeviceKey('RS256');
const slowJwk = { ...slowRsa.jwk, e: slowRsa.jwk.n };
const keyOf = (key: TestDeviceKey) => registeredKey(parseDbscProof(key.registrationProof('c'))!)!;

describe('a proof of a registration', () => {
  it.each(keys)('by $alg gives the key that signed it, under its thumbprint', async (key) => {
    const proof = parseDbscProof(key.registrationProof('the challenge'))!;
    expect(proof).toMatchObject({ alg: key.alg, challenge: 'the challenge', audience: null });
    expect(registeredKey(proof)).toStrictEqual({
      kind: 'dbsc',
      jkt: await calculateJwkThumbprint(key.jwk),
      jwk: key.jwk,
    });
  });

  // The proof that Chromium 156 sent to a login page of ours, with the challenge `c0`.
  it('of a real browser is understood', () => {
    const text =
      'eyJhbGciOiJFUzI1NiIsImp3ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6IjJUcmEyVjRYcFFmSm14N' +
      'XlZWVgyeXBrbnlfbWJmbUpSYUJSNmc4NXZ6enMiLCJ5IjoiWnlSamFDX0h2RmxLUFVHbjFTeGI3NXhFbE5ldVJTRWh' +
      'nOTc5U0tFOS1COCJ9LCJ0eXAiOiJkYnNjK2p3dCJ9.eyJqdGkiOiJjMCJ9.odZP1duPmR0RrOQyliWBAiqY2LKQr1y' +
      '1z_RZwwtF7JZUfQ4gqA3kty-BVxZpCLgp3VqD46gejG7xqwo5iN7_3w';
    const proof = parseDbscProof(text)!;
    expect(proof).toMatchObject({ alg: 'ES256', challenge: 'c0', audience: null, subject: null });
    expect(registeredKey(proof)).toMatchObject({ jwk: { kty: 'EC', crv: 'P-256' } });
  });

  it('may name its key in the payload, as the draft of 2025 has it', () => {
    const { jwk } = es256;
    const claims = { jti: 'c', key: jwk, aud: 'https://a.example/x', sub: 's', iat: 1725579055 };
    const proof = parseDbscProof(es256.sign(claims))!;
    expect(proof).toMatchObject({ audience: 'https://a.example/x', subject: 's' });
    expect(registeredKey(proof)?.jwk).toStrictEqual(jwk);
  });

  it('that another key signed registers nothing', () => {
    const proof = parseDbscProof(other.sign({ jti: 'c' }, { jwk: es256.jwk }))!;
    expect(registeredKey(proof)).toBeNull();
  });

  it('that names no key registers nothing', () => {
    expect(registeredKey(parseDbscProof(es256.refreshProof('c'))!)).toBeNull();
  });

  it('with a changed payload registers nothing', () => {
    const [header, , signature] = es256.registrationProof('c').split('.');
    const payload = Buffer.from('{"jti":"d"}').toString('base64url');
    expect(registeredKey(parseDbscProof(`${header}.${payload}.${signature}`)!)).toBeNull();
  });

  // Fails when the whole JWK is kept: what a client puts beside the key would enter the log.
  it('keeps the public members of the key and nothing else', () => {
    const jwk = { ...es256.jwk, kid: 'mine', secret: 'private', use: 'sig' };
    const proof = parseDbscProof(es256.sign({ jti: 'c' }, { jwk }))!;
    expect(Object.keys(registeredKey(proof)!.jwk).toSorted()).toEqual(['crv', 'kty', 'x', 'y']);
  });
});

// Fails when the key's private half is read over: who has seen the request has the key.
describe('a proof whose key shows a private member', () => {
  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])('%s is none', (member) => {
    const jwk = { ...es256.jwk, [member]: 'c2VjcmV0' };
    expect(parseDbscProof(es256.sign({ jti: 'c' }, { jwk }))).toBeNull();
    expect(parseDbscProof(es256.sign({ jti: 'c', key: jwk }))).toBeNull();
  });
});

describe('a proof of a refresh', () => {
  it.each(keys)('by $alg proves the key of the session', (key) => {
    expect(isProofBy(parseDbscProof(key.refreshProof('c'))!, keyOf(key))).toBe(true);
  });

  // Fails when the key that the proof names is used: anybody could name their own.
  it('never proves another key, whatever it names', () => {
    for (const text of [other.refreshProof('c'), other.registrationProof('c')]) {
      expect(isProofBy(parseDbscProof(text)!, keyOf(es256))).toBe(false);
    }
    const named = other.sign({ jti: 'c' }, { jwk: es256.jwk });
    expect(isProofBy(parseDbscProof(named)!, keyOf(es256))).toBe(false);
    const ownNamed = es256.sign({ jti: 'c' }, { jwk: other.jwk });
    expect(isProofBy(parseDbscProof(ownNamed)!, keyOf(es256))).toBe(false);
  });

  it('may name the key of the session', () => {
    expect(isProofBy(parseDbscProof(es256.registrationProof('c'))!, keyOf(es256))).toBe(true);
  });
});

describe('what is no proof', () => {
  const good = es256.registrationProof('c');
  const [header, payload, signature] = good.split('.') as [string, string, string];
  const { jwk } = es256;
  it.each<[string, string]>([
    ['nothing', ''],
    ['two parts', `${header}.${payload}`],
    ['four parts', `${good}.${signature}`],
    ['an empty signature', `${header}.${payload}.`],
    ['padding', `${good}=`],
    ['space around it', ` ${good}`],
    ['no JSON', `${header}.e30x.${signature}`],
    ['JSON that is no object', `${header}.bnVsbA.${signature}`],
    ['another type', es256.sign({ jti: 'c' }, { jwk, typ: 'jwt' })],
    ['no type', es256.sign({ jti: 'c' }, { jwk, typ: undefined })],
    ['the algorithm none', es256.sign({ jti: 'c' }, { jwk, alg: 'none' })],
    ['HMAC', es256.sign({ jti: 'c' }, { jwk, alg: 'HS256' })],
    ['an algorithm that the key is not for', es256.sign({ jti: 'c' }, { jwk, alg: 'RS256' })],
    ['crit', es256.sign({ jti: 'c' }, { jwk, crit: ['b64'] })],
    ['no challenge', es256.sign({}, { jwk })],
    ['a challenge that is no text', es256.sign({ jti: 7 }, { jwk })],
    ['an audience that is no text', es256.sign({ jti: 'c', aud: ['a'] }, { jwk })],
    ['a key of another curve', es256.sign({ jti: 'c' }, { jwk: { ...jwk, crv: 'P-384' } })],
    ['a point beside the curve', es256.sign({ jti: 'c' }, { jwk: { ...jwk, x: jwk.y } })],
    ['a key that is no key', es256.sign({ jti: 'c' }, { jwk: 'key' })],
    ['a short RSA key', newDeviceKey('RS256', 1024).registrationProof('c')],
    ['an RSA key of a slow exponent', slowRsa.sign({ jti: 'c' }, { jwk: slowJwk })],
    ['an RSA key that is too long', newDeviceKey('RS256', 4104).registrationProof('c')],
    ['more than the limit', es256.registrationProof('c'.repeat(limits.dbscProofCharactersMax))],
  ])('%s', (_, text) => {
    expect(parseDbscProof(text)).toBeNull();
  });

  // Fails when both spellings of ES256 are taken: a JWS has the bare numbers (RFC 7518 section 3.4).
  it('a signature in DER form registers nothing', () => {
    const proof = parseDbscProof(good)!;
    const numbers = Buffer.from(proof.signature, 'base64url');
    const der = derSequence(numbers.subarray(0, 32), numbers.subarray(32));
    const data = Buffer.from(proof.signedText);
    expect(verify('sha256', data, { key: proof.key!.publicKey, dsaEncoding: 'der' }, der)).toBe(
      true,
    );
    expect(registeredKey({ ...proof, signature: der.toString('base64url') })).toBeNull();
  });
});

/** A SEQUENCE of two positive INTEGERs. */
function derSequence(...numbers: readonly Buffer[]): Buffer {
  const integers = numbers.map((number) => {
    const digits = number.subarray(number.findIndex((byte) => byte !== 0));
    const positive = digits[0]! > 0x7f ? Buffer.concat([Buffer.alloc(1), digits]) : digits;
    return Buffer.concat([Buffer.from([0x02, positive.length]), positive]);
  });
  const content = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, content.length]), content]);
}
