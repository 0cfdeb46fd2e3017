import { generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';

/** A key pair of a browser's device, and the proofs that Chromium 156 makes with it. */
export interface TestDeviceKey {
  readonly alg: 'ES256' | 'RS256';
  readonly jwk: JsonWebKey;
  /** A compact JWS over `header` and `payload`, which default to what Chromium sends. */
  sign(payload: object, header?: object): string;
  /** Names the key, as the proof of a registration does. */
  registrationProof(challenge: string): string;
  refreshProof(challenge: string): string;
}

export function newDeviceKey(alg: TestDeviceKey['alg'] = 'ES256', rsaBits = 2048): TestDeviceKey {
  const { privateKey, publicKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: rsaBits });
  const jwk = publicKey.export({ format: 'jwk' });
  const signed = (payload: object, header: object = {}) =>
    compactJws({ alg, typ: 'dbsc+jwt', ...header }, payload, privateKey);
  return {
    alg,
    jwk,
    sign: signed,
    registrationProof: (challenge) => signed({ jti: challenge }, { jwk }),
    refreshProof: (challenge) => signed({ jti: challenge }),
  };
}

function compactJws(header: object, payload: object, key: KeyObject): string {
  const text = [header, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}
