import { createHmac, createSecretKey } from 'node:crypto';
import { slotCount } from '@latchkey/contract/slot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { slotOf, slotText } from '../../../src/domain/kernel/ids.ts';
import { limits } from '../../../src/domain/kernel/limits.ts';
import { sha256 } from '../../../src/domain/kernel/sha256.ts';
import {
  decodeRefreshToken,
  deriveSuccessorSecret,
  encodeRefreshToken,
} from '../../../src/domain/session/refresh-token.ts';

const sessionId = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b';
const macKey = createSecretKey(Buffer.alloc(32, 9));
const ring = new Map([[7, macKey]]);
const secret = Buffer.alloc(32, 0xff);
const prefix = 'lkr_e5f_';
const token = encodeRefreshToken({ macKeyId: 7, macKey, sessionId, generation: 3, secret });

describe('a refresh token', () => {
  it('says its session, generation and secret to who holds the MAC key', () => {
    expect(decodeRefreshToken(token, ring)).toStrictEqual({ sessionId, generation: 3, secret });
  });

  // Must never change: clients keep these texts for weeks. A release that writes or reads them in
  // another way refuses every one that is out there, and logs everybody out.
  it('has the same text in every release', () => {
    const text =
      'lkr_e5f_AQAHAZChssPUfl-KawwdLj9KWwAAAAP______________________________________' +
      '____2AozKLvNI65UylC4Tv2Z4dWGBatI-lPJ4_Q834tv-ZQ';
    expect(token).toBe(text);
    expect(decodeRefreshToken(text, ring)).toStrictEqual({ sessionId, generation: 3, secret });
  });

  it('round-trips any parts', () => {
    const parts = fc.record({
      macKeyId: fc.nat(0xffff),
      sessionId: fc.uuid(),
      generation: fc.integer({ min: 1, max: 0xffffffff }),
      secret: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(parts, ({ macKeyId, ...said }) => {
        const text = encodeRefreshToken({ macKeyId, macKey, ...said });
        expect(decodeRefreshToken(text, new Map([[macKeyId, macKey]]))).toStrictEqual(said);
      }),
    );
  });

  it('has the prefix that secret scanners look for, and one length', () => {
    expect(token).toMatch(/^lkr_e5f_[A-Za-z0-9_-]{116}$/);
    expect(token.length).toBeLessThanOrEqual(limits.refreshTokenCharactersMax);
  });

  it('is not made from parts of the wrong size', () => {
    const good = { macKeyId: 7, macKey, sessionId, generation: 1, secret };
    expect(() => encodeRefreshToken({ ...good, secret: Buffer.alloc(31) })).toThrow(/32 bytes/);
    expect(() =>
      encodeRefreshToken({ ...good, macKey: createSecretKey(Buffer.alloc(31)) }),
    ).toThrow(/32 bytes/);
    expect(() => encodeRefreshToken({ ...good, sessionId: 'alice' })).toThrow(/UUID/);
    expect(() => encodeRefreshToken({ ...good, generation: 0 })).toThrow(/start at 1/);
    expect(() => encodeRefreshToken({ ...good, generation: 2 ** 32 })).toThrow();
    expect(() => encodeRefreshToken({ ...good, macKeyId: 0x10000 })).toThrow();
  });
});

describe('the MAC of a refresh token', () => {
  // Fails when the MAC is not compared, or covers less than all before it.
  it('covers every bit', () => {
    const bytes = Buffer.from(token.slice(prefix.length), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const forged = Buffer.from(bytes);
      forged[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeRefreshToken(`${prefix}${forged.toString('base64url')}`, ring)).toBeNull();
    }
  });

  // Fails when the ring's key is taken without the id in the token.
  it('is checked with the key that the token names', () => {
    expect(decodeRefreshToken(token, new Map([[8, macKey]]))).toBeNull();
    expect(
      decodeRefreshToken(token, new Map([[7, createSecretKey(Buffer.alloc(32, 8))]])),
    ).toBeNull();
    const later = new Map([
      [8, createSecretKey(Buffer.alloc(32, 8))],
      [7, macKey],
    ]);
    expect(decodeRefreshToken(token, later)).not.toBeNull();
  });

  // Fails when the MAC starts after the header.
  it('covers the key id, also where two ids have one key', () => {
    const bytes = Buffer.from(token.slice(prefix.length), 'base64url');
    bytes.writeUInt16BE(8, 1);
    const twoIds = new Map([...ring, [8, macKey] as const]);
    expect(decodeRefreshToken(`${prefix}${bytes.toString('base64url')}`, twoIds)).toBeNull();
  });

  // Fails when the version byte is not compared.
  it('does not make a token of another version readable', () => {
    const bytes = Buffer.from(token.slice(prefix.length), 'base64url');
    bytes.writeUInt8(2, 0);
    createHmac('sha256', macKey).update(bytes.subarray(0, 55)).digest().copy(bytes, 55);
    expect(decodeRefreshToken(`${prefix}${bytes.toString('base64url')}`, ring)).toBeNull();
  });
});

describe('the spelling of a refresh token', () => {
  // Fails when `bytes.toString('base64url') !== body` is dropped: Node decodes all of these to the
  // same bytes.
  it('has no second one in the other base64 alphabet', () => {
    const body = token.slice(prefix.length);
    const other = body.replaceAll('_', '/').replaceAll('-', '+');
    expect(other).not.toBe(body);
    expect(Buffer.from(other, 'base64url')).toStrictEqual(Buffer.from(body, 'base64url'));
    expect(decodeRefreshToken(`${prefix}${other}`, ring)).toBeNull();
    expect(decodeRefreshToken(`${prefix}${body.replace('_', '/')}`, ring)).toBeNull();
  });

  // Fails when the length is not compared and the text is trimmed or its padding cut.
  it('has no padding and no space around or inside', () => {
    for (const text of [
      `${token}=`,
      `${token}==`,
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      `${token.slice(0, 60)} ${token.slice(60)}`,
      `lkr_ ${token.slice(5)}`,
      `${prefix} ${token.slice(prefix.length)}`,
      `${token.slice(0, -1)}=`,
    ]) {
      expect(decodeRefreshToken(text, ring)).toBeNull();
    }
  });

  it('has no other prefix, case or length', () => {
    for (const text of [
      '',
      'lkr_',
      prefix,
      token.slice(prefix.length),
      `LKR_${token.slice(prefix.length)}`,
      token.toUpperCase(),
      token.slice(0, -4),
      `${token}AAAA`,
      'x'.repeat(100_000),
    ]) {
      expect(decodeRefreshToken(text, ring)).toBeNull();
    }
  });

  // Fails when the slot before the body is not compared with that of the session id.
  it('has no other slot than its session', () => {
    const body = token.slice(prefix.length);
    const own = slotOf(sessionId);
    const others = [0, slotCount - 1, ...Array.from({ length: 12 }, (_, bit) => own ^ (1 << bit))];
    for (const slot of others) {
      expect(decodeRefreshToken(`lkr_${slotText(slot)}_${body}`, ring)).toBeNull();
    }
    for (const other of ['lkr_E5F_', 'lkr_e5f-', 'lkr_0e5f_', 'lkr_', 'lkr__', 'e5f_']) {
      expect(decodeRefreshToken(other + body, ring)).toBeNull();
    }
  });

  it('refuses whatever else is sent, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(decodeRefreshToken(text, ring)).toBeNull();
        expect(decodeRefreshToken(`${prefix}${text}`.padEnd(124, 'A'), ring)).toBeNull();
      }),
    );
  });
});

describe('the successor secret', () => {
  const salt = Buffer.alloc(16, 5).toString('base64url');
  const otherSalt = Buffer.alloc(16, 6).toString('base64url');

  it('is the same for the same parent, salt, session and generation', () => {
    expect(deriveSuccessorSecret(secret, salt, sessionId, 2)).toStrictEqual(
      deriveSuccessorSecret(Buffer.from(secret), salt, sessionId, 2),
    );
  });

  // Must never change, the label included. The row of a session holds the hash of the successor: a
  // release that derives another one cannot repeat an answer that got lost during the upgrade, and
  // takes the good client for a thief.
  it('is the same in every release', () => {
    const parent = Buffer.alloc(32, 1);
    const drawn = Buffer.alloc(16, 7).toString('base64url');
    const session = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b';
    expect(deriveSuccessorSecret(parent, drawn, session, 2).toString('base64url')).toBe(
      't4oGYAcEHvKski5NPBHsPiYfsiUQSzIHQl8oyaI3Y9Y',
    );
  });

  // Fails when one of the four is left out of the derivation.
  it('is another when any of them differs', () => {
    const otherSession = sessionId.replace('0190', '0191');
    const secrets = [
      deriveSuccessorSecret(secret, salt, sessionId, 2),
      deriveSuccessorSecret(Buffer.alloc(32, 1), salt, sessionId, 2),
      deriveSuccessorSecret(secret, otherSalt, sessionId, 2),
      deriveSuccessorSecret(secret, salt, otherSession, 2),
      deriveSuccessorSecret(secret, salt, sessionId, 3),
    ].map((derived) => derived.toString('hex'));
    expect(new Set(secrets).size).toBe(5);
  });

  it('is kept as its SHA-256', () => {
    expect(sha256(Buffer.from('abc'))).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
  });
});
