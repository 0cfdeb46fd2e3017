import { phcString } from '../../platform/crypto/foreign-hash.ts';
import { type Fields, fieldsIn, firstText } from './fields.ts';

/**
 * A row of better-auth's table `user`, in our format, with `password` of its account whose provider
 * is `credential`, or with a list of `accounts`. Columns may be in camelCase or snake_case.
 */
export function fromBetterAuth(row: Fields): Fields {
  const accounts = Array.isArray(row.accounts) ? row.accounts.map(fieldsIn) : [];
  const account = accounts.find((each) => (each.providerId ?? each.provider_id) === 'credential');
  const password = firstText(row.password, account?.password);
  return {
    id: typeof row.id === 'number' ? String(row.id) : row.id,
    email: firstText(row.email),
    username: firstText(row.username),
    email_verified: isTrue(row.emailVerified ?? row.email_verified),
    disabled: isTrue(row.banned),
    roles: firstText(row.role)
      ?.split(',')
      .map((role) => role.trim()),
    name: firstText(row.name),
    phone_number: firstText(row.phoneNumber, row.phone_number),
    picture: firstText(row.image),
    ...(password === undefined ? {} : hashOf(password)),
  };
}

export function hasSecondFactorInBetterAuth(row: Fields): boolean {
  return isTrue(row.twoFactorEnabled ?? row.two_factor_enabled);
}

/** SQLite and MySQL have no booleans. */
function isTrue(value: unknown): boolean {
  return value === true || value === 1;
}

/**
 * `salt:key` in hexadecimal, of scrypt with N 16384, r 16, p 1. What is hashed is the text of the
 * salt, not its bytes, and the password in NFKC. An installation may have its own hash instead.
 */
function hashOf(password: string): Fields {
  const [, salt, key] = /^([0-9a-f]{32}):([0-9a-f]{128})$/.exec(password) ?? [];
  if (salt === undefined || key === undefined) return { password_hash: password };
  const hash = phcString({
    kind: 'scrypt',
    log2N: 14,
    r: 16,
    p: 1,
    salt: Buffer.from(salt, 'utf8'),
    digest: Buffer.from(key, 'hex'),
  });
  return { password_hash: hash, password_form: 'nfkc' };
}
