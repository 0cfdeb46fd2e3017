import {
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import { bytesOfId, idOfBytes, slotOf, slotText } from '../kernel/ids.ts';

const prefix = 'lkr_';
const version = 1;
const secretBytes = 32;
const macKeyBytesMin = 32;
const offsets = {
  macKeyId: 1,
  sessionId: 3,
  generation: 19,
  secret: 23,
  mac: 55,
  end: 87,
} as const;
const bodyLength = (offsets.end / 3) * 4;
const successorLabel = Buffer.from('latchkey refresh token successor v1');

/** What a refresh token says. `generation` starts at 1; `secret` is 32 bytes. */
export interface RefreshTokenParts {
  readonly sessionId: string;
  readonly generation: number;
  readonly secret: Buffer;
}

/**
 * `lkr_<slot>_<body>`. Slot: that of the session id, by which a router may send the token where its
 * session lives without reading the body. Body: base64url of version | MAC key id (2 bytes) |
 * session id (16) | generation (4) | secret (32) | HMAC-SHA256 of all before (32). Integers are
 * big-endian.
 */
export function encodeRefreshToken(
  token: RefreshTokenParts & { readonly macKeyId: number; readonly macKey: KeyObject },
): string {
  if (token.secret.length !== secretBytes) throw new Error('a refresh secret has 32 bytes');
  if (token.generation < 1) throw new Error('generations start at 1');
  const bytes = Buffer.alloc(offsets.end);
  bytes.writeUInt8(version, 0);
  bytes.writeUInt16BE(token.macKeyId, offsets.macKeyId);
  bytesOfId(token.sessionId).copy(bytes, offsets.sessionId);
  bytes.writeUInt32BE(token.generation, offsets.generation);
  token.secret.copy(bytes, offsets.secret);
  macOf(bytes, token.macKey).copy(bytes, offsets.mac);
  return prefixOf(token.sessionId) + bytes.toString('base64url');
}

/**
 * The parts of a token that one of our MAC keys made, or null. A token has one spelling: any other
 * text that would decode to the same bytes is refused, and so is any other slot than the session's,
 * so that nobody can hand out a second name of a token, or send it where its session is not.
 */
export function decodeRefreshToken(
  text: string,
  macKeyRing: ReadonlyMap<number, KeyObject>,
): RefreshTokenParts | null {
  const body = text.slice(-bodyLength);
  const bytes = Buffer.from(body, 'base64url');
  if (bytes.length !== offsets.end || bytes.toString('base64url') !== body) return null;
  if (bytes.readUInt8(0) !== version) return null;
  const macKey = macKeyRing.get(bytes.readUInt16BE(offsets.macKeyId));
  if (macKey === undefined) return null;
  if (!timingSafeEqual(macOf(bytes, macKey), bytes.subarray(offsets.mac))) return null;
  const sessionId = idOfBytes(bytes.subarray(offsets.sessionId, offsets.generation));
  if (text !== prefixOf(sessionId) + body) return null;
  return {
    sessionId,
    generation: bytes.readUInt32BE(offsets.generation),
    secret: Buffer.from(bytes.subarray(offsets.secret, offsets.mac)),
  };
}

/**
 * The 32-byte secret of `generation`, from its parent's secret and the salt drawn at the rotation
 * (base64url): HKDF-SHA256 (RFC 5869). The same input gives the same successor; without the
 * parent's secret there is none.
 */
export function deriveSuccessorSecret(
  presentedSecret: Buffer,
  salt: string,
  sessionId: string,
  generation: number,
): Buffer {
  const generationBytes = Buffer.alloc(4);
  generationBytes.writeUInt32BE(generation);
  const info = Buffer.concat([successorLabel, bytesOfId(sessionId), generationBytes]);
  const key = createSecretKey(presentedSecret);
  return Buffer.from(hkdfSync('sha256', key, Buffer.from(salt, 'base64url'), info, secretBytes));
}

function prefixOf(sessionId: string): string {
  return `${prefix}${slotText(slotOf(sessionId))}_`;
}

function macOf(bytes: Buffer, macKey: KeyObject): Buffer {
  if ((macKey.symmetricKeySize ?? 0) < macKeyBytesMin) {
    throw new Error('a MAC key has at least 32 bytes');
  }
  return createHmac('sha256', macKey).update(bytes.subarray(0, offsets.mac)).digest();
}
