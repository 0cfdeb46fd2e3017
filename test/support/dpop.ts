import { generateKeyPairSync, hash, type KeyObject, randomUUID, sign } from 'node:crypto';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import { signatureAlgorithms } from '@latchkey/verifier/internal/signature-algorithms';
import type { Answer, CallOptions, TestApi } from './api.ts';

/** What a proof says beside its defaults; undefined leaves a member out. */
export interface ProofParts {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** The device of a client: a key, and proofs by it. */
export class TestDevice {
  readonly alg: SigningAlgorithm;
  readonly jwk: Readonly<Record<string, string>>;
  readonly jkt: string;
  readonly privateKey: KeyObject;
  nonce: string | undefined;

  constructor(alg: SigningAlgorithm = 'ES256', rsaBits = 2048) {
    const { privateKey, publicKey } = keyPair(alg, rsaBits);
    const { alg: _, ...jwk } = publicKey.export({ format: 'jwk' }) as Record<string, string>;
    this.alg = alg;
    this.privateKey = privateKey;
    this.jwk = jwk;
    const sorted = Object.fromEntries(Object.entries(jwk).sort(([a], [b]) => (a < b ? -1 : 1)));
    this.jkt = hash('sha256', JSON.stringify(sorted), 'base64url');
  }

  /** A proof for one request, as a good client makes it unless `parts` say otherwise. */
  proof(method: string, uri: string, { header = {}, claims = {} }: ProofParts = {}): string {
    const head = { typ: 'dpop+jwt', alg: this.alg, jwk: this.jwk, ...header };
    const iat = Math.floor(Date.now() / 1000);
    const body = { jti: randomUUID(), htm: method, htu: uri, iat, nonce: this.nonce, ...claims };
    return this.signed(JSON.stringify(head), JSON.stringify(body));
  }

  /** Any header and payload under a genuine signature. */
  signed(header: string, payload: string): string {
    const parts = [header, payload].map((part) => Buffer.from(part).toString('base64url'));
    const text = parts.join('.');
    const { digest, options } = signatureAlgorithms[this.alg];
    const signature = sign(digest, Buffer.from(text), { key: this.privateKey, ...options });
    return `${text}.${signature.toString('base64url')}`;
  }
}

export const athOf = (token: string): string => hash('sha256', token, 'base64url');

/** The address that the test API is configured for. */
export const testIssuer = 'http://latchkey.test';

export interface BoundCall extends CallOptions {
  /** Sent under the scheme `DPoP`, and named by the proof. */
  readonly boundToken?: string;
  readonly parts?: ProofParts;
}

/** Sends a request with a proof, and once more with the nonce that the first answer asked for. */
export async function provenCall(
  api: TestApi,
  device: TestDevice,
  [method, path]: readonly [method: string, path: string],
  { boundToken, parts = {}, headers = {}, ...options }: BoundCall = {},
): Promise<Answer> {
  const ath = boundToken === undefined ? undefined : athOf(boundToken);
  const send = () =>
    api.call(method, path, {
      ...options,
      headers: {
        ...headers,
        ...(boundToken === undefined ? {} : { authorization: `DPoP ${boundToken}` }),
        dpop: device.proof(method, api.node.config.tokens.issuer + path.split('?')[0], {
          ...parts,
          claims: { ath, ...parts.claims },
        }),
      },
    });
  const first = await send();
  const nonce = first.headers.get('dpop-nonce');
  if (nonce !== null) device.nonce = nonce;
  const refusal = first.body?.code ?? first.body?.error;
  return refusal === 'use_dpop_nonce' ? send() : first;
}

/** The TokenSet of a new user whose session is bound to the device. */
export async function boundSession(api: TestApi, device = new TestDevice(), fields: object = {}) {
  const { email } = await api.register();
  const body = { email, password: 'a long and ordinary sentence', ...fields };
  const { status, body: tokens } = await provenCall(api, device, ['POST', '/auth/login'], { body });
  if (status !== 200) throw new Error(`login: ${status} ${JSON.stringify(tokens)}`);
  return { device, email, tokens };
}

/** A refresh with a proof by `device`. */
export function provenRefresh(
  api: TestApi,
  device: TestDevice,
  refreshToken: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = { refresh_token: refreshToken };
  return provenCall(api, device, ['POST', '/auth/refresh'], { body, headers });
}

function keyPair(alg: SigningAlgorithm, rsaBits: number) {
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (alg === 'RS256' || alg === 'PS256') {
    return generateKeyPairSync('rsa', { modulusLength: rsaBits });
  }
  return generateKeyPairSync('ed25519');
}
