import { pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto';
import { hash as argon2Hash } from '@node-rs/argon2';
import { describe, expect, it } from 'vitest';
import type { Candidate } from '../../../src/app/user-import/candidate.ts';
import { createPasswordHasher } from '../../../src/platform/crypto/password-hash.ts';
import { bcryptHash } from '../../support/bcrypt.ts';
import { candidate, read, uuid } from './read-samples.ts';

const hasher = createPasswordHasher({ memoryKib: 1_024 });
const password = 'correct \ufb01n horse';

async function accepts({ passwordHash }: Candidate, presented: string): Promise<boolean> {
  return (await hasher.verify(passwordHash, presented, { group: 'test' })).matches;
}

describe('Keycloak', () => {
  const salt = randomBytes(16);
  const base = {
    id: uuid,
    createdTimestamp: 1_700_000_000_000,
    username: 'ada',
    enabled: true,
    emailVerified: true,
    firstName: 'Ada',
    lastName: 'Lovelace',
    email: 'ada@example.com',
    realmRoles: ['default-roles-shop', 'offline_access', 'uma_authorization', 'editor'],
    credentials: [] as unknown[],
  };
  const credential = (value: Buffer, data: object) => ({
    id: 'c',
    type: 'password',
    secretData: JSON.stringify({ value: value.toString('base64'), salt: salt.toString('base64') }),
    credentialData: JSON.stringify(data),
  });

  it('gives name, state and the roles of its own realm', () => {
    expect(candidate({ ...base, username: base.email }, 'keycloak').username).toBeNull();
    expect(candidate({ ...base, enabled: false }, 'keycloak')).toMatchObject({
      userId: uuid,
      username: 'ada',
      disabled: true,
      emailVerified: true,
      roles: ['editor'],
      profile: { name: 'Ada Lovelace' },
      passwordHash: null,
    });
  });

  it.each([
    ['pbkdf2', 'sha1', 64],
    ['pbkdf2-sha256', 'sha256', 64],
    ['pbkdf2-sha512', 'sha512', 64],
  ])('gives its hash by %s', async (algorithm, digest, length) => {
    const value = pbkdf2Sync(password, salt, 2_000, length, digest);
    const data = { hashIterations: 2_000, algorithm, additionalParameters: {} };
    const user = candidate({ ...base, credentials: [credential(value, data)] }, 'keycloak');
    expect([await accepts(user, password), await accepts(user, 'x')]).toEqual([true, false]);
  });

  it('gives its hash by Argon2', async () => {
    const options = { memoryCost: 7_168, timeCost: 5, parallelism: 1, salt };
    const digest = (await argon2Hash(password, options)).split('$').at(-1)!;
    const data = {
      hashIterations: 5,
      algorithm: 'argon2',
      additionalParameters: {
        hashLength: ['32'],
        memory: ['7168'],
        type: ['id'],
        version: ['1.3'],
        parallelism: ['1'],
      },
    };
    const credentials = [{ type: 'otp' }, credential(Buffer.from(digest, 'base64'), data)];
    const user = candidate({ ...base, credentials }, 'keycloak');
    expect([await accepts(user, password), await accepts(user, 'x')]).toEqual([true, false]);
  });

  it('gives the hash as versions before 8 wrote it', async () => {
    const value = pbkdf2Sync(password, salt, 2_000, 64, 'sha256').toString('base64');
    const old = { type: 'password', hashedSaltedValue: value, salt: salt.toString('base64') };
    const credentials = [{ ...old, hashIterations: 2_000, algorithm: 'pbkdf2-sha256' }];
    expect(await accepts(candidate({ ...base, credentials }, 'keycloak'), password)).toBe(true);
  });

  it('is refused with a hash of another kind, and with too many iterations', () => {
    const refused = (data: object) =>
      read({ ...base, credentials: [credential(Buffer.alloc(32), data)] }, 'keycloak');
    expect(refused({ algorithm: 'md5', hashIterations: 1 })).toEqual({ refusal: 'hash_unknown' });
    expect(refused({ algorithm: 'pbkdf2-sha256', hashIterations: 1e9 })).toEqual({
      refusal: 'hash_too_costly',
    });
  });
});

describe('Auth0', () => {
  it('gives a line of its export of password hashes', async () => {
    const line = {
      _id: { $oid: '5dea9f9c82dd7c0e76e4ec93' },
      email_verified: false,
      email: 'ada@example.com',
      passwordHash: bcryptHash(password),
      password_set_date: { $date: '2019-12-06T18:36:12.412Z' },
      tenant: 'example',
      connection: 'Username-Password-Authentication',
      _tmp_is_unique: true,
    };
    const user = candidate(line, 'auth0');
    expect([await accepts(user, password), await accepts(user, 'x')]).toEqual([true, false]);
    // The same user as in a file of the bulk import.
    const other = { user_id: 'auth0|5dea9f9c82dd7c0e76e4ec93', email: 'ada@example.com' };
    expect(candidate(other, 'auth0').userId).toBe(user.userId);
  });

  it('takes the address from the identifiers where it stands nowhere else', () => {
    const identifiers = [{ type: 'email', value: 'ada@example.com', verified: true }];
    expect(candidate({ _id: { $oid: '1' }, identifiers }, 'auth0')).toMatchObject({
      email: { key: 'ada@example.com' },
      emailVerified: true,
    });
  });

  it('gives a user in the schema of its bulk import, with its custom hash', async () => {
    const base = {
      user_id: '1',
      email: 'ada@example.com',
      given_name: 'Ada',
      name: 'ada@example.com',
      blocked: true,
    };
    const salt = randomBytes(16);
    const scrypt = {
      algorithm: 'scrypt',
      hash: { value: scryptSync(password, salt, 64).toString('hex'), encoding: 'hex' },
      salt: { value: salt.toString('base64'), encoding: 'base64' },
      keylen: 64,
      cost: 16_384,
      blockSize: 8,
      parallelization: 1,
    };
    const user = candidate({ ...base, custom_password_hash: scrypt }, 'auth0');
    expect(user).toMatchObject({ disabled: true, profile: { name: 'Ada' } });
    expect([await accepts(user, password), await accepts(user, 'x')]).toEqual([true, false]);
    const bcrypt = { algorithm: 'bcrypt', hash: { value: bcryptHash(password) } };
    const second = candidate({ ...base, custom_password_hash: bcrypt }, 'auth0');
    expect(await accepts(second, password)).toBe(true);
    for (const custom of [{ algorithm: 'md5', hash: { value: 'ab' } }, {}, 7]) {
      const refused = read({ ...base, custom_password_hash: custom }, 'auth0');
      expect(refused).toEqual({ refusal: 'hash_unknown' });
    }
  });
});

describe('Supabase', () => {
  const row = {
    id: uuid,
    email: 'ada@example.com',
    encrypted_password: bcryptHash(password, '2a'),
    email_confirmed_at: '2024-01-01T00:00:00Z',
    banned_until: null,
    deleted_at: null,
    phone: '',
    raw_user_meta_data: { full_name: 'Ada', avatar_url: 'https://example.com/a.png' },
  };

  it('gives a row of auth.users', async () => {
    const user = candidate(row, 'supabase');
    expect(user).toMatchObject({
      userId: uuid,
      emailVerified: true,
      disabled: false,
      profile: { name: 'Ada', picture: 'https://example.com/a.png' },
    });
    expect([await accepts(user, password), await accepts(user, 'x')]).toEqual([true, false]);
  });

  it('who is banned is disabled, and who is deleted is refused', () => {
    const banned = (until: string) => candidate({ ...row, banned_until: until }, 'supabase');
    expect(banned('2031-01-01T00:00:00Z').disabled).toBe(true);
    expect(banned('infinity').disabled).toBe(true);
    expect(banned('2029-01-01T00:00:00Z').disabled).toBe(false);
    const deleted = { ...row, deleted_at: '2024-01-01T00:00:00Z' };
    expect(read(deleted, 'supabase')).toEqual({ refusal: 'deleted' });
  });
});

describe('better-auth', () => {
  it('gives a row with its scrypt hash, which is of the password in NFKC', async () => {
    const salt = randomBytes(16).toString('hex');
    const costs = { N: 16_384, r: 16, p: 1, maxmem: 128 * 16_384 * 16 * 2 };
    const key = scryptSync(password.normalize('NFKC'), salt, 64, costs).toString('hex');
    const row = {
      id: 'Jk2xPqLw0aVb9dTgYhUiOpAsDfGhJkLz',
      name: 'Ada',
      email: 'ada@example.com',
      emailVerified: 1,
      image: null,
      role: 'user, editor',
      banned: false,
      password: `${salt}:${key}`,
    };
    const user = candidate(row, 'better-auth');
    expect(user).toMatchObject({ emailVerified: true, roles: ['editor', 'user'] });
    expect(await accepts(user, 'correct fin horse')).toBe(true);
    expect([await accepts(user, password), await accepts(user, 'x')]).toEqual([true, false]);
    const { password: _, ...rest } = row;
    const accounts = [
      { providerId: 'google' },
      { providerId: 'credential', password: row.password },
    ];
    expect(candidate({ ...rest, accounts }, 'better-auth')).toEqual(user);
  });
});

// Fails when somebody who has one comes without a word that it is gone.
describe('a second factor', () => {
  const email = 'ada@example.com';
  const devices = (...types: string[]) => ({ credentials: types.map((type) => ({ type })) });
  it.each([
    ['keycloak', devices('otp'), true],
    ['keycloak', devices('totp'), true],
    ['keycloak', devices('webauthn'), true],
    ['keycloak', devices('webauthn-passwordless'), false],
    ['keycloak', {}, false],
    ['auth0', { mfa_factors: [{ totp: { secret: 'JBSWY3DPEHPK3PXP' } }] }, true],
    ['auth0', { mfa_factors: [] }, false],
    ['better-auth', { twoFactorEnabled: true }, true],
    ['better-auth', { two_factor_enabled: 1 }, true],
    ['better-auth', { twoFactorEnabled: null }, false],
  ] as const)('that %s exports is seen: %j', (from, fields, leavesSecondFactorOut) => {
    const ids = { id: uuid, user_id: uuid, email };
    expect(candidate({ ...ids, ...fields }, from)).toMatchObject({ leavesSecondFactorOut });
  });
});
