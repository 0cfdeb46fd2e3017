import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeInviteCode, encodeInviteCode } from '../../../src/domain/invite/invite-code.ts';
import { sha256 } from '../../../src/domain/kernel/sha256.ts';

const inviteId = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b';
const secret = Buffer.alloc(32, 0xff);
const code = encodeInviteCode({ inviteId, secret });

describe('an invite code', () => {
  it('names its invite and proves its secret', () => {
    expect(code).toMatch(/^lki_[A-Za-z0-9_-]{64}$/);
    expect(decodeInviteCode(code)).toStrictEqual({
      inviteId,
      secretHash: createHash('sha256').update(secret).digest('base64url'),
    });
  });

  it('round-trips any id and secret', () => {
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(fc.uuid(), bytes, (id, random) => {
        expect(decodeInviteCode(encodeInviteCode({ inviteId: id, secret: random }))).toStrictEqual({
          inviteId: id,
          secretHash: sha256(random),
        });
      }),
    );
  });

  it('is not made from parts of the wrong size', () => {
    expect(() => encodeInviteCode({ inviteId: 'alice', secret })).toThrow(/UUID/);
    expect(() => encodeInviteCode({ inviteId, secret: Buffer.alloc(31) })).toThrow(/32 bytes/);
  });

  // Fails when the decoded bytes are not spelled again and compared.
  it('has one spelling', () => {
    const others = [
      code.replaceAll('_', '/').replace('lki/', 'lki_'),
      `${code}=`,
      ` ${code}`,
      `${code}\n`,
      code.replace('lki_', 'LKI_'),
      code.slice(0, -1),
      code.slice(0, -4),
      `${code}AAAA`,
      `${code.slice(0, -1)}!`,
      '',
    ];
    for (const other of others) expect(decodeInviteCode(other)).toBeNull();
  });
});
