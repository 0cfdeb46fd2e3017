import type { KeyObject } from 'node:crypto';
import { constants } from 'node:crypto';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';

const ed25519 = {
  digest: null,
  options: {},
  fits: (key: KeyObject) => key.asymmetricKeyType === 'ed25519',
} as const;

/** How node:crypto spells each algorithm of RFC 7518 and RFC 9864, and which key it takes. */
export const signatureAlgorithms = {
  RS256: {
    digest: 'sha256',
    options: { padding: constants.RSA_PKCS1_PADDING },
    fits: isStrongRsaKey,
  },
  PS256: {
    digest: 'sha256',
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
    fits: isStrongRsaKey,
  },
  ES256: {
    digest: 'sha256',
    options: { dsaEncoding: 'ieee-p1363' },
    fits: (key: KeyObject) => key.asymmetricKeyDetails?.namedCurve === 'prime256v1',
  },
  Ed25519: ed25519,
  EdDSA: ed25519,
} as const satisfies Record<SigningAlgorithm, object>;

/**
 * The key with the options of its algorithm as properties of its own, which is where `sign` and
 * `verify` look for them. Handed over as `{ key, ...options }`, each call would cost tens of
 * microseconds more (bench/verify-in-process.ts prints both): Node then asks by an exception whether
 * that object is a key.
 */
export function withOptions(key: KeyObject, alg: SigningAlgorithm): KeyObject {
  return Object.assign(key, signatureAlgorithms[alg].options);
}

function isStrongRsaKey(key: KeyObject): boolean {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return key.asymmetricKeyType === 'rsa' && bits >= 2048;
}
