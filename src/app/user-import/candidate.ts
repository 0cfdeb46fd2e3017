import { isReservedRole } from '@latchkey/contract/reserved-role';
import { derivedId, derivedSlot } from '../../domain/kernel/ids.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { textFault } from '../../domain/kernel/text-fault.ts';
import { charactersInToken } from '../../domain/kernel/token-room.ts';
import { type EmailAddress, parseEmail } from '../../domain/user/identifier.ts';
import { isRoleName } from '../../domain/user/roles.ts';
import { readNewUsername } from '../../domain/user/username.ts';
import {
  importedHash,
  type PasswordForm,
  passwordForms,
} from '../../platform/crypto/stored-hash.ts';
import type { Fields } from './fields.ts';
import type { ImportRefusal } from './refusals.ts';

/** A user from elsewhere that may be registered, if nobody has the address. */
export interface Candidate {
  readonly userId: string;
  readonly email: EmailAddress;
  readonly emailVerified: boolean;
  readonly disabled: boolean;
  readonly roles: readonly string[];
  /** null for none, and where there are no user names. */
  readonly username: string | null;
  /** Whether a user name was left out, because there are none here. */
  readonly leavesUsernameOut: boolean;
  /** Whether the other system asks this user for a second factor, which is not imported. */
  readonly leavesSecondFactorOut: boolean;
  /** `name`, `phone_number` and `picture`, those that there are. */
  readonly profile: Readonly<Record<string, string>>;
  /** As `password_hashes` keeps it. */
  readonly passwordHash: string | null;
}

export interface CandidateOptions {
  /** Names the system that the ids are from: the same id of two systems is two users. */
  readonly source: string;
  readonly trustVerified: boolean;
  /** Whether this installation has user names. */
  readonly usernames: boolean;
}

type Result<T> = { readonly refusal: ImportRefusal } | T;

const fieldTypes: Readonly<Record<string, string>> = {
  id: 'string',
  email: 'string',
  username: 'string',
  email_verified: 'boolean',
  disabled: 'boolean',
  roles: 'array',
  name: 'string',
  phone_number: 'string',
  picture: 'string',
  password_hash: 'string',
  password_form: 'string',
  created_at: 'string',
};

/** Reads one user in the format of `latchkey users import`. `null` counts as left out. */
export function readCandidate(
  given: Fields,
  options: CandidateOptions,
): Result<Omit<Candidate, 'leavesSecondFactorOut'>> {
  const fields: Fields = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== null && value !== undefined),
  );
  for (const [field, value] of Object.entries(fields)) {
    const type = Array.isArray(value) ? 'array' : typeof value;
    if (!Object.hasOwn(fieldTypes, field) || fieldTypes[field] !== type) {
      return { refusal: 'unknown_field' };
    }
  }
  const { id, email: address, password_hash: encoded } = fields;
  if (typeof id !== 'string' || !isSourceId(id)) return { refusal: 'id_invalid' };
  const email = typeof address === 'string' ? parseEmail(address) : null;
  if (email === null) return { refusal: 'address_invalid' };
  const username = readUsername(fields.username, options);
  if ('refusal' in username) return username;
  const roles = readRoles(fields.roles);
  if ('refusal' in roles) return roles;
  const profile = readProfile(fields);
  if (profile === null) return { refusal: 'profile_invalid' };
  const hash = typeof encoded === 'string' ? readHash(encoded, fields.password_form) : null;
  if (hash !== null && 'refusal' in hash) return hash;
  return {
    userId: userIdOf(options.source, id),
    email,
    emailVerified: options.trustVerified && fields.email_verified === true,
    disabled: fields.disabled === true,
    roles: roles.roles,
    ...username,
    profile,
    passwordHash: hash?.stored ?? null,
  };
}

/**
 * No address may be an id: every event names the user by what is derived from it, so it would
 * confirm an erased address for ever.
 */
function isSourceId(id: string): boolean {
  return id.length <= 255 && /^[\x21-\x7e]+$/.test(id) && !id.includes('@');
}

const keptId = /^[0-9a-f]{8}-[0-9a-f]{4}-[478][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * A UUID stays the id of the user, so that services which know it as `sub` still do. Any other id
 * makes one that depends on nothing else, so that an import that was cut off can run again.
 */
function userIdOf(source: string, id: string): string {
  if (keptId.test(id)) return id;
  const parts = ['import', source, id];
  return derivedId(derivedSlot(...parts), ...parts);
}

function readUsername(
  given: unknown,
  { usernames }: CandidateOptions,
): Result<Pick<Candidate, 'username' | 'leavesUsernameOut'>> {
  if (typeof given !== 'string') return { username: null, leavesUsernameOut: false };
  if (!usernames) return { username: null, leavesUsernameOut: true };
  const read = readNewUsername(given);
  if ('problem' in read) return { refusal: read.problem };
  return { username: read.name, leavesUsernameOut: false };
}

function readRoles(given: unknown): Result<{ readonly roles: readonly string[] }> {
  const roles = [...new Set(Array.isArray(given) ? given : [])].sort();
  if (roles.some((role) => typeof role === 'string' && isReservedRole(role))) {
    return { refusal: 'role_reserved' };
  }
  if (!roles.every((role) => typeof role === 'string' && isRoleName(role))) {
    return { refusal: 'role_invalid' };
  }
  const { rolesPerUserMax, tokenRolesCharactersMax } = limits;
  if (roles.length > rolesPerUserMax || charactersInToken(roles) > tokenRolesCharactersMax) {
    return { refusal: 'role_invalid' };
  }
  return { roles };
}

function readProfile(fields: Fields): Readonly<Record<string, string>> | null {
  const profile: Record<string, string> = {};
  for (const field of ['name', 'phone_number'] as const) {
    const text = fields[field];
    if (typeof text !== 'string') continue;
    if (text === '' || [...text].length > limits.profileTextCodePointsMax) return null;
    if (textFault(text) !== null) return null;
    profile[field] = text;
  }
  const { picture } = fields;
  if (typeof picture === 'string') {
    if (picture.length > limits.pictureUrlCharactersMax || !isWebUrl(picture)) return null;
    profile.picture = picture;
  }
  return profile;
}

function isWebUrl(text: string): boolean {
  return textFault(text) === null && /^https?:$/.test(URL.parse(text)?.protocol ?? '');
}

function readHash(encoded: string, form: unknown = 'typed'): Result<{ readonly stored: string }> {
  if (!passwordForms.includes(form as PasswordForm)) return { refusal: 'unknown_field' };
  const imported = importedHash(encoded, form as PasswordForm);
  return 'problem' in imported ? { refusal: imported.problem } : imported;
}
