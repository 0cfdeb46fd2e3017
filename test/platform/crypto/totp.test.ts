import { describe, expect, it } from 'vitest';
import { base32, typedBase32 } from '../../../src/domain/kernel/base32.ts';
import { matchingSteps, otpauthUri } from '../../../src/platform/crypto/totp.ts';

const secret = Buffer.from('12345678901234567890', 'ascii');

describe('the codes of an authenticator app', () => {
  it.each([
    [59, '94287082'],
    [1_111_111_109, '07081804'],
    [1_111_111_111, '14050471'],
    [1_234_567_890, '89005924'],
    [2_000_000_000, '69279037'],
    [20_000_000_000, '65353130'],
  ])('are those of RFC 6238 appendix B at %i s', (seconds, eightDigits) => {
    const code = eightDigits.slice(-6);
    expect(matchingSteps(secret, code, seconds * 1000)).toEqual([Math.floor(seconds / 30)]);
  });

  it.each([
    [1, '287082'],
    [2, '359152'],
    [3, '969429'],
    [4, '338314'],
    [5, '254676'],
    [6, '287922'],
    [7, '162583'],
    [8, '399871'],
    [9, '520489'],
  ])('are those of RFC 4226 appendix D for the count %i', (count, code) => {
    expect(matchingSteps(secret, code, count * 30_000)).toEqual([count]);
  });

  it('match the half minute before, this one and the next, and no other', () => {
    const stepsAt = (step: number) => matchingSteps(secret, '254676', step * 30_000);
    expect([4, 5, 6].map(stepsAt)).toEqual([[5], [5], [5]]);
    expect([3, 7].map(stepsAt)).toEqual([[], []]);
  });

  it('is nothing but its six digits', () => {
    const [now, code] = [60_000, '359152'];
    for (const text of [
      '',
      code.slice(1),
      `${code}0`,
      `+${code.slice(1)}`,
      'abcdef',
      '１２３４５６',
    ]) {
      expect(matchingSteps(secret, text, now), text).toEqual([]);
    }
  });

  it('come from the secret that the QR code carries, escaped', () => {
    expect(otpauthUri(base32(secret), { service: 'auth.example', account: 'a:b&c@x.test' })).toBe(
      'otpauth://totp/auth.example:a%3Ab%26c%40x.test?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ' +
        '&issuer=auth.example&algorithm=SHA1&digits=6&period=30',
    );
  });
});

describe('base32', () => {
  it.each([
    ['', ''],
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ])('of "%s" is that of RFC 4648 section 10 without padding', (text, encoded) => {
    expect(base32(Buffer.from(text))).toBe(encoded);
  });

  it('is read as people type it', () => {
    expect(typedBase32(' mzxw-6ytb 018\t')).toBe('MZXW6YTBOIB');
  });
});
