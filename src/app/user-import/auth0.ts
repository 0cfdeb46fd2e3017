import { phcString } from '../../platform/crypto/foreign-hash.ts';
import { type Fields, fieldsIn, firstText } from './fields.ts';

/**
 * A user of Auth0, in our format: of the export of password hashes that its support makes, or of a
 * file in the schema of its bulk import.
 */
export function fromAuth0(user: Fields): Fields {
  const identifiers = Array.isArray(user.identifiers) ? user.identifiers.map(fieldsIn) : [];
  const byEmail = identifiers.find(({ type }) => type === 'email');
  return {
    id: idOf(user),
    email: firstText(user.email, byEmail?.value),
    username: firstText(user.username),
    email_verified: (user.email_verified ?? byEmail?.verified) === true,
    disabled: user.blocked === true,
    name: nameOf(user),
    phone_number: firstText(user.phone_number),
    picture: firstText(user.picture),
    password_hash: firstText(user.passwordHash, user.password_hash) ?? customHash(user),
  };
}

export function hasSecondFactorInAuth0({ mfa_factors: factors }: Fields): boolean {
  return Array.isArray(factors) && factors.length > 0;
}

/** Both files name a user alike: `auth0|` and the id. */
function idOf(user: Fields): string | undefined {
  const id = firstText(user.user_id, user.alt_id, fieldsIn(user._id).$oid, user._id);
  return id === undefined || id.includes('|') ? id : `auth0|${id}`;
}

/** Without a name, Auth0 puts the address in its place. */
function nameOf({ name, given_name, family_name, email }: Fields): string | undefined {
  const parts = [given_name, family_name].filter((part) => firstText(part)).join(' ');
  return firstText(name === email ? undefined : name, parts);
}

function customHash({ custom_password_hash }: Fields): string | undefined {
  if (custom_password_hash === undefined || custom_password_hash === null) return undefined;
  const custom = fieldsIn(custom_password_hash);
  const hash = fieldsIn(custom.hash);
  if (custom.algorithm !== 'scrypt') return firstText(hash.value) ?? 'unreadable';
  const salt = fieldsIn(custom.salt);
  return phcString({
    kind: 'scrypt',
    log2N: Math.log2(Number(custom.cost ?? 16_384)),
    r: Number(custom.blockSize ?? 8),
    p: Number(custom.parallelization ?? 1),
    salt: bytesOf(salt, 'utf8'),
    digest: bytesOf(hash, 'base64'),
  });
}

function bytesOf({ value, encoding }: Fields, otherwise: BufferEncoding): Buffer {
  const named = typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : otherwise;
  return Buffer.from(firstText(value) ?? '', named);
}
