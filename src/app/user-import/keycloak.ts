import {
  type DerivedHash,
  type Pbkdf2Algorithm,
  phcString,
} from '../../platform/crypto/foreign-hash.ts';
import { type Fields, fieldsIn, firstText } from './fields.ts';

/** What Keycloak gives to every user. */
const ownRoles = /^(?:default-roles-.*|offline_access|uma_authorization)$/;
const argon2Versions: Readonly<Record<string, string>> = { '1.0': '16', '1.3': '19' };
/** What is written where a hash cannot be: it is refused as unknown. */
const unreadable = 'unreadable';

/** A user of Keycloak's export (`UserRepresentation`), in our format. */
export function fromKeycloak(user: Fields): Fields {
  const roles = Array.isArray(user.realmRoles) ? user.realmRoles : [];
  const name = [user.firstName, user.lastName].filter((part) => firstText(part)).join(' ');
  return {
    id: user.id,
    email: firstText(user.email),
    username: nameOf(user),
    email_verified: user.emailVerified === true,
    disabled: user.enabled === false,
    roles: roles.filter((role) => typeof role !== 'string' || !ownRoles.test(role)),
    name: firstText(name),
    ...passwordOf(user),
  };
}

/** `webauthn-passwordless` is a passkey, which stands in the place of the password. */
const secondFactorTypes = new Set<unknown>(['otp', 'totp', 'hotp', 'webauthn']);

export function hasSecondFactorInKeycloak(user: Fields): boolean {
  return credentialsOf(user).some(({ type }) => secondFactorTypes.has(type));
}

function credentialsOf({ credentials }: Fields): readonly Fields[] {
  return Array.isArray(credentials) ? credentials.map(fieldsIn) : [];
}

/** A realm may have the address in its place. */
function nameOf({ username }: Fields): string | undefined {
  const name = firstText(username);
  return name?.includes('@') ? undefined : name;
}

function passwordOf(user: Fields): Fields {
  const password = credentialsOf(user).find(({ type }) => type === 'password');
  if (password === undefined) return {};
  const data = fieldsIn(password.credentialData);
  const secret = fieldsIn(password.secretData);
  // Before Keycloak 8 the parts stood in the credential itself.
  const algorithm = firstText(data.algorithm, password.algorithm) ?? 'pbkdf2';
  const value = firstText(secret.value, password.hashedSaltedValue) ?? '';
  const salt = firstText(secret.salt, password.salt) ?? '';
  const iterations = Number(data.hashIterations ?? password.hashIterations);
  if (value.startsWith('$')) return { password_hash: value };
  if (algorithm === 'argon2') {
    return {
      password_hash: argon2Of(fieldsIn(data.additionalParameters), { iterations, salt, value }),
    };
  }
  const [, digest = 'sha1'] = /^pbkdf2(?:-(sha256|sha512))?$/.exec(algorithm) ?? [null, unreadable];
  if (digest === unreadable || !Number.isSafeInteger(iterations))
    return { password_hash: unreadable };
  const hash: DerivedHash = {
    kind: 'pbkdf2',
    algorithm: digest as Pbkdf2Algorithm,
    iterations,
    salt: Buffer.from(salt, 'base64'),
    digest: Buffer.from(value, 'base64'),
  };
  return { password_hash: phcString(hash) };
}

/** Each parameter is a list of one text. */
function argon2Of(
  parameters: Fields,
  { iterations, salt, value }: { iterations: number; salt: string; value: string },
): string {
  const first = (name: string) => String(([] as unknown[]).concat(parameters[name] ?? '')[0]);
  const version = argon2Versions[first('version')] ?? unreadable;
  const costs = `m=${first('memory')},t=${iterations},p=${first('parallelism')}`;
  const [saltText, digest] = [salt, value].map((text) => text.replaceAll('=', ''));
  return `$argon2${first('type')}$v=${version}$${costs}$${saltText}$${digest}`;
}
