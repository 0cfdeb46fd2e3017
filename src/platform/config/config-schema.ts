import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { limits } from '../../domain/kernel/limits.ts';

/** How many live sessions of one device type a user may have. */
export type DevicePolicy =
  | { readonly kind: 'single' }
  | { readonly kind: 'unlimited' }
  | { readonly kind: 'limit'; readonly limit: number };

export interface KeyEncryptionKey {
  readonly id: string;
  readonly key: Buffer;
}

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be between ${min} and ${max}`);

const seconds = (min: number, max: number) => integer(min, max);

const url = (protocols: readonly string[], example: string) =>
  z.string().refine((text) => {
    const parsed = URL.parse(text);
    return parsed !== null && protocols.includes(parsed.protocol) && parsed.hostname !== '';
  }, `must be a URL such as ${example}`);

const postgresUrl = z
  .string()
  .refine(
    (text) => !/^[^/]+:\/\/[^/]*,/.test(text),
    'names several hosts, and Latchkey follows one: give the address that always leads to the ' +
      'primary, such as that of HAProxy, of Patroni or of a service name',
  )
  .pipe(url(['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/latchkey'));

const issuer = url(['http:', 'https:'], 'https://auth.example.com')
  .refine((text) => {
    const parsed = URL.parse(text);
    const bare = parsed?.search === '' && parsed.hash === '' && parsed.username === '';
    return parsed === null || (bare && !text.endsWith('/') && !/[?#]/.test(text));
  }, 'must have no user, query or fragment and no slash at the end (RFC 8414 section 2)')
  .max(limits.issuerCharactersMax);

/** What a client may be registered for, too (`domain/client/decide.ts`). */
const audience = z
  .string()
  .regex(
    /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/,
    `must have at most ${limits.audienceCharactersMax} visible ASCII characters, no quote or backslash`,
  );

/** An address or a name; `[::1]` as in a URL is accepted. */
const host = z
  .string()
  .regex(/^[\w.:%[\]-]+$/, 'must be an address such as 127.0.0.1 or ::1')
  .transform((text) => text.replace(/^\[(.*)\]$/, '$1'));

const listOf = (text: string) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

const origins = z
  .string()
  .transform(listOf)
  .refine(
    (list) => list.every((item) => URL.parse(item)?.origin === item && item !== 'null'),
    'must be a list of origins such as https://app.example.com, without a path',
  );

const networks = z
  .string()
  .transform(listOf)
  .refine(
    (list) => list.every((item) => ipaddr.isValidCIDR(item) || ipaddr.isValid(item)),
    'must be a list of networks or addresses such as 10.0.0.0/8,::1',
  );

/**
 * Zeros, a repeated pattern, a count, typed text: 32 random bytes look like none of them, but for
 * one key in more than 10^12 (fewer than 16 different bytes, or printable ASCII only).
 */
function isGuessable(key: Buffer): boolean {
  const steps = key.subarray(1).map((byte, index) => byte - key[index]!);
  const isPrintable = key.every((byte) => byte >= 0x20 && byte < 0x7f);
  return new Set(key).size < 16 || new Set(steps).size < 8 || isPrintable;
}

/** Never put the value into the message: it is a secret. */
const keyRing = z.string().transform((text, context): readonly KeyEncryptionKey[] => {
  const keys: KeyEncryptionKey[] = [];
  for (const entry of listOf(text)) {
    const [, id, encoded] = /^([A-Za-z0-9_.-]{1,64}):([A-Za-z0-9_-]+)$/.exec(entry) ?? [];
    const key = Buffer.from(encoded ?? '', 'base64url');
    if (id === undefined || key.length !== 32 || key.toString('base64url') !== encoded) {
      context.addIssue('must be a list of id:key, each key 32 bytes in base64url without padding');
      return z.NEVER;
    }
    if (isGuessable(key)) {
      context.addIssue(`holds a guessable key ${id}: take 32 random bytes (openssl rand 32)`);
      return z.NEVER;
    }
    if (keys.some((other) => other.id === id)) {
      context.addIssue(`names the key ${id} twice`);
      return z.NEVER;
    }
    keys.push({ id, key });
  }
  if (keys.length === 0) {
    context.addIssue('must hold at least one key');
    return z.NEVER;
  }
  return keys;
});

const devicePolicy = z.string().transform((text, context): DevicePolicy => {
  if (text === 'single' || text === 'unlimited') return { kind: text };
  const limit = Number(/^limit:([1-9]\d{0,3})$/.exec(text)?.[1]);
  if (Number.isInteger(limit)) return { kind: 'limit', limit };
  context.addIssue('must be single, unlimited or limit:<n>, with n from 1 to 9999');
  return z.NEVER;
});

const password = z.string().refine((text) => {
  const length = [...text.normalize('NFC')].length;
  return length >= limits.passwordCodePointsMin && length <= limits.passwordCodePointsMax;
}, `must have ${limits.passwordCodePointsMin} to ${limits.passwordCodePointsMax} characters`);

const oneDay = 86_400;
const tokenLifeMs = integer(1000, 400 * oneDay * 1000);
const identifier = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'must be a lower-case Postgres identifier');

/**
 * Every variable Latchkey reads, as text. Absent and empty are the same; defaults stand in
 * `config.ts`.
 */
export const environmentSchema = z.object({
  APP_ENV: z.enum(['dev', 'prod'], 'must be dev or prod'),
  HOST: host,
  PORT: integer(0, 65_535),
  ISSUER: issuer,
  DATABASE_URL: postgresUrl,
  DATABASE_DIRECT_URL: postgresUrl,
  DATABASE_APP_ROLE: identifier,
  DATABASE_APP_PASSWORD: z.string(),
  DATA_DIR: z.string(),
  // The rules of addresses decide when the administrator is made; `admin@localhost` is one.
  ADMIN_EMAIL: z
    .email({ pattern: z.regexes.unicodeEmail, error: 'must be an e-mail address' })
    .max(limits.identifierCodePointsMax),
  ADMIN_PASSWORD: password,
  KEK: keyRing,
  // One active, two pending, one retiring: with fewer, no rotation would ever be possible.
  JWKS_MAX_KEYS: integer(4, 100),
  JWKS_MAX_AGE_SECONDS: seconds(0, oneDay),
  KEY_ALGORITHM: z.enum(
    ['RS256', 'PS256', 'ES256', 'EdDSA'],
    'must be RS256, PS256, ES256 or EdDSA',
  ),
  REGISTRATION: z.enum(['open', 'invite', 'closed'], 'must be open, invite or closed'),
  LOG_LEVEL: z.enum(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'must be fatal, error, warn, info, debug, trace or silent',
  ),
  METRICS_PORT: integer(0, 65_535),
  WORKER_HOST: host,
  WORKER_PORT: integer(0, 65_535),
  METRICS_TOKEN: z.string().min(16, 'must have at least 16 characters'),
  ALLOWED_ORIGINS: origins,
  TRUSTED_PROXIES: networks,
  RATE_LIMITS: z.enum(['on', 'off'], 'must be on or off'),
  LOGIN_FLOOR_MS: integer(0, 10_000),
  PASSWORD_HASH_MEMORY_KIB: integer(8, 4_194_304),
  LEASE_SECONDS: seconds(1, 3600),
  STALE_POLICY: z.enum(['refuse', 'serve'], 'must be refuse or serve'),
  REVOCATION_POLL_MS: integer(5, 10_000),
  REFRESH_GRACE_SECONDS: seconds(0, 600),
  MAX_SESSIONS_PER_USER: integer(1, limits.streamsPerCommandMax - 6),
  DEFAULT_AUDIENCE: audience,
  LIFETIME_PROFILE: z.enum(
    ['standard', 'banking', 'internal'],
    'must be standard, banking or internal',
  ),
  ACCESS_TOKEN_EXPIRY_MS: tokenLifeMs,
  REFRESH_TOKEN_EXPIRY_MS: tokenLifeMs,
  SESSION_IDLE_SECONDS: seconds(0, 400 * oneDay),
  SESSION_RETENTION_SECONDS: seconds(0, 3650 * oneDay),
  CLOCK_SKEW_SECONDS: seconds(0, 300),
  POOL_READERS: integer(1, 100),
  DEVICE_POLICY_WEB: devicePolicy,
  DEVICE_POLICY_MOBILE: devicePolicy,
  DEVICE_POLICY_TABLET: devicePolicy,
  DEVICE_POLICY_DESKTOP: devicePolicy,
  DEVICE_POLICY_SERVICE: devicePolicy,
  DEVICE_POLICY_IOT: devicePolicy,
});

export type VariableName = keyof typeof environmentSchema.shape;

/** The values that were given and well-formed. */
export type Environment = Partial<z.output<typeof environmentSchema>>;

/** Each may also be given as `<NAME>_FILE`, a file that holds it. */
export const secretVariables = [
  'DATABASE_URL',
  'DATABASE_DIRECT_URL',
  'DATABASE_APP_PASSWORD',
  'ADMIN_PASSWORD',
  'KEK',
  'METRICS_TOKEN',
] as const satisfies readonly VariableName[];

/**
 * Variables of later versions: ignored with a warning, so that one environment file can serve both.
 */
export const unsupportedVariables = ['REDIS_URL', 'SMTP_URL'] as const;
