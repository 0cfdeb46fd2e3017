import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodeMailLink, encodeMailLink } from '../../../src/domain/user/mail-link.ts';

const link = () => ({
  userId: randomUUID() as string,
  requestId: randomUUID() as string,
  secret: new Uint8Array(randomBytes(32)),
});

describe('the token of a link in a mail', () => {
  it('gives back what it was made of, in 86 characters', () => {
    const made = link();
    const token = encodeMailLink(made);
    expect(token).toMatch(/^[\w-]{86}$/);
    const { secret, ...ids } = decodeMailLink(token)!;
    expect({ ...ids, secret: new Uint8Array(secret) }).toEqual(made);
  });

  // Fails when the decoder skips what it does not know: then one link has many spellings.
  it('has one spelling', () => {
    const token = encodeMailLink(link());
    const bytes = Buffer.from(token, 'base64url');
    const others = [
      '',
      `${token}=`,
      ` ${token}`,
      `${token}\n`,
      token.slice(0, -1),
      `${token}A`,
      bytes.toString('base64'),
      `${token.slice(0, 40)}!${token.slice(40)}`,
    ].filter((other) => other !== token);
    for (const other of others) expect([other, decodeMailLink(other)]).toEqual([other, null]);
    const last = token.at(-1)!;
    const sameBytes = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
      .map((character) => token.slice(0, -1) + character)
      .filter((other) => other.at(-1) !== last && Buffer.from(other, 'base64url').equals(bytes));
    expect(sameBytes.length).toBeGreaterThan(0);
    expect(sameBytes.map(decodeMailLink)).toEqual(sameBytes.map(() => null));
  });

  it('is made of ids and a secret of 32 bytes only', () => {
    expect(() => encodeMailLink({ ...link(), userId: 'x' })).toThrow('UUID');
    expect(() => encodeMailLink({ ...link(), secret: new Uint8Array(31) })).toThrow('32 bytes');
  });
});
