import { randomUUID } from 'node:crypto';
import { dpopAlgorithms } from '@latchkey/contract/dpop';
import { verifyDpopProof } from '@latchkey/verifier/dpop-proof';
import { ProofKeyCache } from '@latchkey/verifier/proof-key';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { athOf, type ProofParts, TestDevice } from '../support/dpop.ts';
import { device, iat, outcome, outcomeOf, proofOf, request } from './dpop-outcomes.ts';

describe('a good proof', () => {
  it('names its key, by thumbprint and public members, and itself', () => {
    for (const alg of dpopAlgorithms) {
      const other = new TestDevice(alg);
      const jti = randomUUID();
      const proof = proofOf({ claims: { jti, nonce: 'n' } }, other);
      const { jkt, jwk } = other;
      expect(verifyDpopProof(proof, request)).toEqual({ ok: true, jkt, jwk, jti, nonce: 'n' });
    }
  });

  // The example of RFC 9449 section 4.1, with the thumbprint that section 6.1 gives.
  it('is the example of the RFC', () => {
    const proof = [
      'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik',
      'VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR',
      'nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE',
      'QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj',
      'oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia',
      'WF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg',
      '4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg',
    ].join('');
    const at = { now: 1_562_262_616_000, uri: 'https://server.example.com/token' };
    expect(verifyDpopProof(proof, { ...request, ...at })).toMatchObject({
      ok: true,
      jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I',
    });
  });

  it('is as good with a key that was seen before', () => {
    const keys = new ProofKeyCache(10);
    for (let turn = 0; turn < 3; turn++) expect(outcomeOf({}, { keys })).toBe('ok');
  });

  it('names the URI in any of its spellings', () => {
    for (const htu of [
      'HTTPS://API.example.test:443/orders/7?page=2#top',
      'https://api.example.test/orders/./8/../7',
      'https://api.example.test/%6Frders/%37',
    ]) {
      expect(outcomeOf({ claims: { htu } }), htu).toBe('ok');
    }
    const tilde = { uri: 'https://api.example.test/~a/%2f' };
    expect(outcomeOf({ claims: { htu: 'https://api.example.test/%7Ea/%2F' } }, tilde)).toBe('ok');
  });

  it('is as old as it may be, and not older', () => {
    expect(outcomeOf({ claims: { iat: iat - 300 } })).toBe('ok');
    expect(outcomeOf({ claims: { iat: iat - 301 } })).toBe('iat');
    expect(outcomeOf({ claims: { iat: iat + 60 } })).toBe('ok');
    expect(outcomeOf({ claims: { iat: iat + 61 } })).toBe('iat');
  });
});

describe('a proof for something else', () => {
  it('is refused for another method or URI', () => {
    for (const htm of ['GET', 'post', '']) {
      expect(outcomeOf({ claims: { htm } }), htm).not.toBe('ok');
    }
    for (const htu of [
      'http://api.example.test/orders/7',
      'https://api.example.test:8443/orders/7',
      'https://other.example.test/orders/7',
      'https://api.example.test/orders/7/',
      'https://api.example.test/orders%2F7',
      'https://api.example.test/Orders/7',
      'https://user@api.example.test/orders/7',
      '/orders/7',
      'ftp://api.example.test/orders/7',
    ]) {
      expect(outcomeOf({ claims: { htu } }), htu).toBe('htu');
    }
  });

  it('is refused beside another access token, or none that it names', () => {
    const accessToken = 'an.access.token';
    expect(outcomeOf({ claims: { ath: athOf(accessToken) } }, { accessToken })).toBe('ok');
    expect(outcomeOf({ claims: { ath: athOf('another') } }, { accessToken })).toBe('ath');
    expect(outcomeOf({}, { accessToken })).toBe('ath');
  });

  // Fails when the nonce is looked at only where the proof has one.
  it('asks for the nonce of the server where that wants one', () => {
    const isGoodNonce = (nonce: string) => nonce === 'mine';
    expect(outcomeOf({ claims: { nonce: 'mine' } }, { isGoodNonce })).toBe('ok');
    for (const nonce of ['yours', '', undefined]) {
      const proof = proofOf({ claims: { nonce } });
      expect(verifyDpopProof(proof, { ...request, isGoodNonce })).toEqual({
        ok: false,
        code: 'use_dpop_nonce',
        reason: 'nonce',
      });
    }
  });
});

describe('a malformed proof', () => {
  it('is refused for its header', () => {
    const { jwk } = device;
    const refused: readonly [ProofParts['header'], string][] = [
      [{ typ: 'jwt' }, 'typ'],
      [{ typ: undefined }, 'typ'],
      [{ typ: 'DPOP+JWT' }, 'typ'],
      [{ alg: 'none' }, 'alg'],
      [{ alg: 'HS256' }, 'alg'],
      [{ alg: 'ES384' }, 'alg'],
      [{ alg: undefined }, 'alg'],
      [{ alg: 'RS256' }, 'weak_key'],
      [{ jwk: undefined }, 'jwk'],
      [{ jwk: 'text' }, 'jwk'],
      [{ jwk: [jwk] }, 'jwk'],
      [{ jwk: { kty: 'oct', k: 'c2VjcmV0' } }, 'private_key'],
      [{ jwk: { kty: 'oct' } }, 'jwk'],
      [{ jwk: { ...jwk, kty: 'constructor' } }, 'jwk'],
      [{ jwk: { ...jwk, crv: 'P-384' } }, 'jwk'],
      [{ jwk: { ...jwk, x: `${jwk.x}=` } }, 'jwk'],
      [{ jwk: { ...jwk, y: jwk.x } }, 'jwk'],
      [{ jwk: { ...jwk, y: 7 } }, 'jwk'],
      [{ crit: ['exp'] }, 'header'],
      [{ b64: false }, 'header'],
    ];
    for (const [header, reason] of refused) {
      expect(outcomeOf({ header: header! }), JSON.stringify(header)).toBe(reason);
    }
  });

  it('is refused when it shows a private member of any kind of key', () => {
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']) {
      const jwk = { ...device.jwk, [member]: 'AQAB' };
      expect(outcomeOf({ header: { jwk } }), member).toBe('private_key');
    }
  });

  it('is refused for an RSA key that is short', () => {
    const short = new TestDevice('RS256', 1024);
    expect(outcome(proofOf({}, short))).toBe('weak_key');
  });

  // Fails when a header of any length is parsed, and kept: clients choose what is in it.
  it('is refused for a header that is longer than any key needs', () => {
    const n = Buffer.alloc(512, 0xff).toString('base64url');
    const longest = { kty: 'RSA', n, e: 'AQAB', alg: 'RS256', use: 'sig', kid: device.jkt };
    expect(outcomeOf({ header: { alg: 'RS256', jwk: longest } })).toBe('signature');
    expect(outcomeOf({ header: { more: 'x'.repeat(1_000) } })).toBe('header');
  });

  it('is refused for its claims', () => {
    for (const claims of [
      { jti: undefined },
      { jti: '' },
      { jti: 7 },
      { jti: 'x'.repeat(257) },
      { htm: undefined },
      { htu: undefined },
      { htu: `https://api.example.test/${'x'.repeat(2048)}` },
      { iat: undefined },
      { iat: '1893456000' },
      { ath: 7 },
      { nonce: 7 },
    ]) {
      expect(outcomeOf({ claims }), JSON.stringify(claims)).toBe('claims');
    }
    expect(outcome(device.signed('{"typ":"dpop+jwt"', '{}'))).toBe('header');
    const [head] = proofOf().split('.');
    const header = Buffer.from(head!, 'base64url').toString();
    expect(outcome(device.signed(header, '[]'))).toBe('claims');
    expect(outcome(device.signed(header, '{'))).toBe('claims');
  });

  it('is refused for a signature of another key, of another text, or in another spelling', () => {
    const [header, payload, signature] = proofOf().split('.') as [string, string, string];
    const [, otherPayload] = proofOf().split('.') as [string, string];
    const [, , otherSignature] = proofOf({}, new TestDevice()).split('.') as string[];
    for (const parts of [
      [header, otherPayload, signature],
      [header, payload, otherSignature],
      [header, payload, 'AA'],
      [header, payload, ''],
      [header, payload, `${signature}=`],
    ]) {
      expect(outcome(parts.join('.'))).toBe('signature');
    }
    const withKeys = { keys: new ProofKeyCache(10) };
    expect(outcome(`${header}.${otherPayload}.${signature}`, withKeys)).toBe('signature');
    expect(outcome(`${header}.${otherPayload}.${signature}`, withKeys)).toBe('signature');
  });

  it('is refused when it is no JWS, too long, or two of them', () => {
    for (const text of ['', '.', '..', 'a.b', 'a.b.c.d', `${proofOf()}.x`]) {
      expect(outcome(text), text).not.toBe('ok');
    }
    expect(outcome(`${proofOf()}, ${proofOf()}`)).not.toBe('ok');
    expect(outcomeOf({ claims: { more: 'x'.repeat(4000) } })).toBe('too_long');
    expect(outcome(undefined as unknown as string)).toBe('not_a_proof');
  });
});

describe('whatever is presented as a proof', () => {
  it('is answered without an exception, and accepted in none of its changed forms', () => {
    const good = proofOf();
    const keys = new ProofKeyCache(10);
    const mutated = fc
      .tuple(fc.nat(good.length - 1), fc.constantFrom(...'ABab01-_.={}", '))
      .map(([at, by]) => good.slice(0, at) + by + good.slice(at + 1))
      .filter((text) => text !== good);
    const json = fc.json({ maxDepth: 3 });
    const signed = fc.tuple(json, json).map(([header, payload]) => device.signed(header, payload));
    const headed = json.map((payload) => {
      const header = JSON.stringify({ typ: 'dpop+jwt', alg: 'ES256', jwk: device.jwk });
      return device.signed(header, payload);
    });
    const dotted = fc.array(fc.string(), { maxLength: 5 }).map((parts) => parts.join('.'));
    fc.assert(
      fc.property(fc.oneof(mutated, signed, headed, dotted, fc.string()), (text) => {
        expect(outcome(text)).not.toBe('ok');
        expect(outcome(text, { keys })).not.toBe('ok');
      }),
      { numRuns: 2000 },
    );
  });

  it('never has a key that is not on its curve, whatever its members say', () => {
    const members = fc.record({
      kty: fc.constantFrom('EC', 'OKP', 'RSA', 'oct', '__proto__'),
      crv: fc.constantFrom('P-256', 'Ed25519', 'X25519', 'secp256k1', ''),
      x: fc.base64String().map((text) => text.replaceAll('=', '')),
      y: fc.base64String().map((text) => text.replaceAll('=', '')),
      e: fc.constantFrom('AQAB', 'Aw', ''),
      n: fc.base64String().map((text) => text.replaceAll('=', '')),
    });
    fc.assert(
      fc.property(members, fc.constantFrom(...dpopAlgorithms), (jwk, alg) => {
        expect(outcomeOf({ header: { alg, jwk } })).not.toBe('ok');
      }),
      { numRuns: 1000 },
    );
  });
});
