import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/** Who signs the access tokens of a session: the issuer's key or one of the session's own. */
export const signings = ['issuer', 'session'] as const;
export type Signing = (typeof signings)[number];

/** What a session key signs with. */
export const sessionKeyAlgorithms = ['Ed25519', 'ES256'] as const;
export type SessionKeyAlgorithm = (typeof sessionKeyAlgorithms)[number];

/** The public key of one session. */
export interface SessionKey {
  readonly kid: string;
  /** RFC 7517: the public members, `alg`, `kid` and `use`, no others. */
  readonly jwk: { readonly [member: string]: string };
}

const randomBytes = 16;
const tagBytes = 8;
const kidCharacters = 32;

/**
 * The kid of a session key: base64url of 128 random bits and a tag of 64 bits, which only a holder
 * of `tagKey` can make. So a kid that somebody made up is refused before anybody looks for it. It
 * proves nothing more: whether there is such a key, only the session says. Null for random bits
 * whose kid would begin with a hyphen, which a command line takes for an option: draw again.
 */
export function sessionKid(random: Uint8Array, tagKey: KeyObject): string | null {
  if (random.length !== randomBytes) throw new Error('a kid has 128 random bits');
  const kid = Buffer.concat([random, tagOf(random, tagKey)]).toString('base64url');
  return kid.startsWith('-') ? null : kid;
}

/** Whether `sessionKid` may have made it. A kid has one spelling. */
export function isSessionKid(kid: string, tagKey: KeyObject): boolean {
  if (kid.length !== kidCharacters || kid.startsWith('-')) return false;
  const bytes = Buffer.from(kid, 'base64url');
  if (bytes.length !== randomBytes + tagBytes || bytes.toString('base64url') !== kid) return false;
  const tag = tagOf(bytes.subarray(0, randomBytes), tagKey);
  return timingSafeEqual(bytes.subarray(randomBytes), tag);
}

function tagOf(random: Uint8Array, tagKey: KeyObject): Buffer {
  return createHmac('sha256', tagKey).update(random).digest().subarray(0, tagBytes);
}
