import { pbkdf2Sync, scryptSync } from 'node:crypto';
import { hash as argon2Hash } from '@node-rs/argon2';
import { describe, expect, test } from 'vitest';
import { isTooCostly, phcString, readHash } from '../../../src/platform/crypto/foreign-hash.ts';
import { createPasswordHasher } from '../../../src/platform/crypto/password-hash.ts';
import { type HashProblem, importedHash } from '../../../src/platform/crypto/stored-hash.ts';
import { bcryptHash } from '../../support/bcrypt.ts';

const memoryKib = 1_024;
const turn = { group: 'test' };
const salt = Buffer.from('0123456789abcdef');

function imported(encoded: string, form: 'typed' | 'nfc' | 'nfkc' = 'typed'): string {
  const made = importedHash(encoded, form);
  if ('problem' in made) throw new Error(made.problem);
  return made.stored;
}

const check = (stored: string, password: string) =>
  createPasswordHasher({ memoryKib }).verify(stored, password, turn);

// Published vectors: RFC 6070, RFC 7914 section 12, the test suite of the Argon2 reference.
const vectors: readonly (readonly [string, string, string])[] = [
  [
    'argon2id 1.3',
    'password',
    '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  ],
  [
    'argon2i 1.0',
    'password',
    '$argon2i$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ',
  ],
  [
    'argon2i without a version, which is 1.0',
    'password',
    '$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ',
  ],
  [
    'scrypt',
    'pleaseletmein',
    '$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$' +
      'cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRd' +
      'ofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw',
  ],
  ['pbkdf2-sha1', 'password', '$pbkdf2-sha1$i=4096,l=20$c2FsdA$SwB5AbdlSJq+rUnZJvch0GWkKcE'],
  [
    'pbkdf2-sha1, as passlib writes it',
    'password',
    '$pbkdf2$4096$c2FsdA$SwB5AbdlSJq.rUnZJvch0GWkKcE',
  ],
  ['bcrypt', 'U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['bcrypt of PHP', 'U*U', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
];

describe('a hash of another system', () => {
  test.each(vectors)(
    '%s: matches its password and no other, once as foreign',
    async (_, password, encoded) => {
      const stored = imported(encoded);
      expect(await check(stored, password)).toEqual({ matches: true, needsRehash: true });
      expect((await check(stored, `${password}x`)).matches).toBe(false);
    },
  );

  test.each(['sha1', 'sha256', 'sha512'] as const)(
    'pbkdf2-%s of any length of key',
    async (algorithm) => {
      for (const length of [16, 20, 64, 128]) {
        const digest = pbkdf2Sync('ein Passwort', salt, 1_000, length, algorithm);
        const stored = imported(
          phcString({ kind: 'pbkdf2', algorithm, iterations: 1_000, salt, digest }),
        );
        expect(await check(stored, 'ein Passwort')).toEqual({ matches: true, needsRehash: true });
        expect((await check(stored, 'kein Passwort')).matches).toBe(false);
      }
    },
  );

  test('that our own hasher could have made stays, unless it is weak', async () => {
    const strong = await argon2Hash('x', { memoryCost: memoryKib, timeCost: 1, parallelism: 1 });
    expect(imported(strong, 'nfc')).toBe(strong);
    expect(await check(imported(strong, 'nfc'), 'x')).toEqual({
      matches: true,
      needsRehash: false,
    });
    const weak = await argon2Hash('x', { memoryCost: 512, timeCost: 1, parallelism: 1 });
    expect((await check(imported(weak, 'nfc'), 'x')).needsRehash).toBe(true);
    // One that was made of what was typed is replaced even when it is strong.
    expect((await check(imported(strong, 'typed'), 'x')).needsRehash).toBe(true);
  });
});

describe('the form in which the other system hashed a password', () => {
  const composed = '\u00e9 \ufb01n';
  const decomposed = 'e\u0301 \ufb01n';

  test('typed: only the same code points match', async () => {
    const stored = imported(bcryptHash(decomposed));
    expect((await check(stored, decomposed)).matches).toBe(true);
    expect((await check(stored, composed)).matches).toBe(false);
  });

  test('nfc and nfkc: every spelling of it matches', async () => {
    for (const form of ['nfc', 'nfkc'] as const) {
      const stored = imported(bcryptHash(composed.normalize(form.toUpperCase())), form);
      expect((await check(stored, decomposed)).matches).toBe(true);
    }
    const stored = imported(bcryptHash(composed.normalize('NFKC')), 'nfkc');
    expect((await check(stored, '\u00e9 fin')).matches).toBe(true);
  });
});

describe('bcrypt and its 72 bytes', () => {
  const long = 'a'.repeat(72);

  test('what follows them does not count, as in the system that made the hash', async () => {
    const stored = imported(bcryptHash(`${long}right`));
    expect((await check(stored, `${long}wrong`)).matches).toBe(true);
    expect((await check(stored, `${'a'.repeat(71)}b`)).matches).toBe(false);
  });

  // Fails when: the password as presented is hashed anew. The true one would match no more.
  test('a longer password keeps its hash: nobody knows whether its end was right', async () => {
    const stored = imported(bcryptHash(`${long}right`));
    expect((await check(stored, `${long}wrong`)).needsRehash).toBe(false);
    expect((await check(imported(bcryptHash(long)), long)).needsRehash).toBe(true);
    // Bytes, not characters.
    const umlauts = 'ä'.repeat(37);
    expect((await check(imported(bcryptHash(umlauts)), umlauts)).needsRehash).toBe(false);
  });
});

describe('the cost of a hash is bounded', () => {
  const tail = '$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  const bcryptAt = (cost: number) =>
    `$2b$${String(cost).padStart(2, '0')}$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW`;
  const costly = [
    bcryptAt(15),
    bcryptAt(31),
    `$argon2id$v=19$m=262145,t=1,p=1${tail}`,
    `$argon2id$v=19$m=65536,t=13,p=1${tail}`,
    `$argon2id$v=19$m=8,t=4000000000,p=1${tail}`,
    `$scrypt$ln=18,r=8,p=1${tail}`,
    `$scrypt$ln=17,r=8,p=2${tail}`,
    `$scrypt$ln=63,r=1,p=1${tail}`,
    `$pbkdf2-sha256$i=2000001${tail}`,
  ];
  const allowed = [
    bcryptAt(14),
    `$argon2id$v=19$m=262144,t=3,p=1${tail}`,
    `$scrypt$ln=17,r=8,p=1${tail}`,
    `$pbkdf2-sha256$i=2000000${tail}`,
  ];

  test('at the import', () => {
    expect(costly.map((encoded) => importedHash(encoded, 'typed'))).toEqual(
      costly.map(() => ({ problem: 'hash_too_costly' })),
    );
    expect(allowed.every((encoded) => !isTooCostly(readHash(encoded)!))).toBe(true);
  });

  // Fails when: verify trusts what stands in the table. A cost of 31 takes days.
  test('and at the login: no hash is computed, the lane is free, and it is told', async () => {
    const problems: HashProblem[] = [];
    const hasher = createPasswordHasher({
      memoryKib,
      concurrencyMax: 1,
      onRefusedHash: (problem) => problems.push(problem),
    });
    for (const encoded of costly) {
      const check = await hasher.verify(`typed:${encoded}`, 'U*U', turn);
      expect(check).toEqual({ matches: false, needsRehash: false });
    }
    expect(await hasher.verify('not a hash', 'U*U', turn)).toMatchObject({ matches: false });
    expect(problems).toEqual([...costly.map(() => 'hash_too_costly'), 'hash_unknown']);
    expect(hasher.running).toBe(0);
  });

  test('but for what our own setting of the memory has allowed', async () => {
    const problems: HashProblem[] = [];
    const hasher = createPasswordHasher({ memoryKib, onRefusedHash: (why) => problems.push(why) });
    const own = await argon2Hash('x', { memoryCost: 300_000, timeCost: 1, parallelism: 1 });
    expect((await hasher.verify(own, 'x', turn)).matches).toBe(true);
    const passes = own.replace('t=1', 't=4');
    expect((await hasher.verify(passes, 'x', turn)).matches).toBe(false);
    expect(problems).toEqual(['hash_too_costly']);
  });
});

describe('what is no hash that we read', () => {
  const good = bcryptHash('x');
  test.each([
    '',
    'x',
    '5f4dcc3b5aa765d61d8327deb882cf99',
    good.replace('$2b$', '$2x$'),
    good.replace('$2b$', '$2$'),
    good.slice(0, -1),
    `${good}x`,
    ` ${good}`,
    good.replace('$04$', '$03$'),
    good.replace('$04$', '$32$'),
    '$argon2d$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
    '$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
    '$argon2id$v=19$m=64,t=1,p=9$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
    '$argon2id$v=19$m=0,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
    '$scrypt$ln=14,r=8,p=1$c2FsdA$YWJj',
    '$scrypt$ln=14,r=8,p=1$c2FsdA==$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
    '$pbkdf2-md5$i=1000$c2FsdA$SwB5AbdlSJq+rUnZJvch0GWkKcE',
    '$pbkdf2-sha1$i=0$c2FsdA$SwB5AbdlSJq+rUnZJvch0GWkKcE',
    '$pbkdf2-sha1$i=4096,l=21$c2FsdA$SwB5AbdlSJq+rUnZJvch0GWkKcE',
    `$scrypt$ln=14,r=8,p=1$${'A'.repeat(2_000)}$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc`,
  ])('%.40s', (encoded) => {
    expect(importedHash(encoded, 'typed')).toEqual({ problem: 'hash_unknown' });
  });

  test('a derived hash is written as a PHC string that reads as itself', () => {
    const digest = scryptSync('x', salt, 64);
    const phc = phcString({ kind: 'scrypt', log2N: 14, r: 8, p: 1, salt, digest });
    expect(readHash(phc)).toEqual({ kind: 'scrypt', log2N: 14, r: 8, p: 1, salt, digest });
  });
});
