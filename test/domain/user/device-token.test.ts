import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/domain/kernel/sha256.ts';
import { decodeDeviceToken, encodeDeviceToken } from '../../../src/domain/user/device-token.ts';

const deviceId = randomUUID();
const secret = randomBytes(32);
const token = encodeDeviceToken(deviceId, secret);

describe('a device token', () => {
  it('says which device it is, and is stored as a hash', () => {
    expect(decodeDeviceToken(token)).toStrictEqual({
      deviceId,
      secretHash: sha256(secret),
    });
  });

  it('is made of a whole secret, and of no other version', () => {
    for (const length of [31, 33]) {
      expect(() => encodeDeviceToken(deviceId, randomBytes(length))).toThrow(/32 bytes/);
    }
    const bytes = Buffer.from(token.slice(4), 'base64url');
    bytes.writeUInt8(2, 0);
    expect(decodeDeviceToken(`lkd_${bytes.toString('base64url')}`)).toBeNull();
  });

  // Fails when the text is decoded and not compared with its canonical form.
  it('has one spelling', () => {
    const next = String.fromCharCode(token.charCodeAt(token.length - 1) + 1);
    for (const text of [
      ...[
        '',
        'lkd_',
        ` ${token}`,
        `${token} `,
        `${token}=`,
        token.slice(4),
        `lkr_${token.slice(4)}`,
      ],
      ...[token.slice(0, -1), `${token}A`, token.slice(0, -1) + next, 'x'.repeat(100_000)],
    ]) {
      expect(decodeDeviceToken(text), text.slice(0, 80)).toBeNull();
    }
  });
});
