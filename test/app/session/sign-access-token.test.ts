import { createPublicKey } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import {
  clientId,
  createIssuerKey,
  issuer,
  mint,
  sessionId,
  start,
  ttlSeconds,
  userId,
} from '../../verifier/token-world.ts';

const seconds = start / 1000;

describe('an access token', () => {
  test.each(['RS256', 'PS256', 'ES256', 'Ed25519', 'EdDSA'] as const)(
    'under %s verifies with an independent library (RFC 9068)',
    async (alg) => {
      const key = await createIssuerKey(alg);
      const token = await mint(key);
      const publicKey = createPublicKey({ key: key.jwk, format: 'jwk' });
      const { payload } = await jwtVerify(token, publicKey, {
        issuer,
        audience: 'orders',
        typ: 'at+jwt',
        algorithms: [alg],
        currentDate: new Date(start),
      });
      expect(decodeProtectedHeader(token)).toEqual({ alg, typ: 'at+jwt', kid: key.signing.kid });
      expect(payload).toEqual({
        iss: issuer,
        sub: userId,
        aud: [issuer, 'orders'],
        exp: seconds + ttlSeconds,
        iat: seconds,
        nbf: seconds,
        jti: `${sessionId}.1`,
        client_id: 'latchkey',
        sid: sessionId,
        auth_time: seconds,
        amr: ['pwd'],
        acr: '1fa',
        roles: ['editor'],
        device_type: 'web',
        epoch: 0,
      });
    },
  );

  test('of a client carries its id and its epoch', async () => {
    const token = await mint(await createIssuerKey(), { client: { id: clientId, epoch: 4 } });
    const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(payload).toMatchObject({ client_id: clientId, client_epoch: 4 });
  });

  // Fails when: exp is rounded: a token would outlive the entry that revokes its session.
  test('never outlives the end that it was given', async () => {
    const token = await mint(await createIssuerKey(), {
      issuedAt: start,
      expiresAt: start + 1_999,
    });
    const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(payload.exp).toBe(seconds + 1);
  });
});
