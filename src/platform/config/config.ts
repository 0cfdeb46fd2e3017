import { readFileSync } from 'node:fs';
import { ConfigError, type ConfigProblem } from './config-error.ts';
import { type ConfigPurpose, contradictions } from './config-rules.ts';
import {
  type DevicePolicy,
  type Environment,
  environmentSchema,
  secretVariables,
  unsupportedVariables,
  type VariableName,
} from './config-schema.ts';
import { nearMisses } from './near-misses.ts';
import { authority } from './url-authority.ts';

/** The checked settings. Each field is named after its variable. */
export type Config = ReturnType<typeof withDefaults>;

/**
 * Reads the configuration from environment variables. Secrets may stand in files (`KEK_FILE` for
 * `KEK`). Throws ConfigError with every problem, never with a secret in it.
 */
export function loadConfig(
  env: NodeJS.ProcessEnv = process.env,
  purpose: ConfigPurpose = 'serve',
): Config {
  const problems: ConfigProblem[] = [];
  const given: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(environmentSchema.shape)) {
    const text = readVariable(env, name as VariableName, problems);
    if (text === undefined) continue;
    const parsed = schema.safeParse(text);
    if (parsed.success) given[name] = parsed.data;
    else for (const { message } of parsed.error.issues) problems.push({ variable: name, message });
  }
  problems.push(...uselessFiles(env));
  const config = withDefaults(given, env);
  // A malformed variable was replaced by its default: a contradiction with that one would mislead.
  const malformed = new Set(problems.map(({ variable }) => variable));
  const rules = contradictions(given, config, purpose);
  problems.push(...rules.filter(({ variable }) => !malformed.has(variable)));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function readVariable(
  env: NodeJS.ProcessEnv,
  name: VariableName,
  problems: ConfigProblem[],
): string | undefined {
  const value = nonEmpty(env[name]);
  if (!(secretVariables as readonly string[]).includes(name)) return value;
  const file = nonEmpty(env[`${name}_FILE`]);
  if (file === undefined) return value;
  if (value !== undefined) {
    problems.push({ variable: name, message: `and ${name}_FILE are both set: keep one` });
    return undefined;
  }
  try {
    const text = nonEmpty(readFileSync(file, 'utf8').replace(/\r?\n$/, ''));
    // A secret that was not written yet must not count as one that was left out.
    if (text === undefined) {
      problems.push({ variable: `${name}_FILE`, message: `names an empty file: ${file}` });
    }
    return text;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    problems.push({ variable: `${name}_FILE`, message: `cannot be read: ${file} (${code})` });
    return undefined;
  }
}

/** `ISSUER_FILE`: what is no secret is never read from a file. */
function uselessFiles(env: NodeJS.ProcessEnv): ConfigProblem[] {
  return Object.keys(environmentSchema.shape)
    .filter((name) => !(secretVariables as readonly string[]).includes(name))
    .filter((name) => nonEmpty(env[`${name}_FILE`]) !== undefined)
    .map((name) => ({ variable: `${name}_FILE`, message: `is not read: set ${name} itself` }));
}

/** The environment of a command for production: without a word on APP_ENV, or an empty one, prod. */
export function prodUnlessTold(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, APP_ENV: nonEmpty(env.APP_ENV) ?? 'prod' };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text;
}

function withDefaults(given: Environment, env: NodeJS.ProcessEnv) {
  const appEnv = given.APP_ENV ?? 'dev';
  const isDev = appEnv === 'dev';
  const host = given.HOST ?? (isDev ? '127.0.0.1' : '0.0.0.0');
  const port = given.PORT ?? 3333;
  const issuer = given.ISSUER ?? `http://${authority(isDev ? host : '127.0.0.1', port)}`;
  const metricsPort = given.METRICS_PORT ?? (port === 0 || port > 64_535 ? 0 : port + 1000);
  return {
    appEnv,
    host,
    port,
    issuer,
    databaseUrl: given.DATABASE_URL,
    /** Past a pooler: for advisory locks, the tail and migrations. */
    databaseDirectUrl: given.DATABASE_DIRECT_URL ?? given.DATABASE_URL,
    databaseAppRole: given.DATABASE_APP_ROLE ?? 'latchkey_app',
    databaseAppPassword: given.DATABASE_APP_PASSWORD,
    dataDir: given.DATA_DIR ?? '.latchkey',
    adminEmail: given.ADMIN_EMAIL,
    adminPassword: given.ADMIN_PASSWORD,
    kek: given.KEK,
    jwksMaxKeys: given.JWKS_MAX_KEYS ?? 5,
    jwksMaxAgeSeconds: given.JWKS_MAX_AGE_SECONDS ?? 300,
    keyAlgorithm: given.KEY_ALGORITHM ?? 'RS256',
    registration: given.REGISTRATION ?? (isDev ? 'open' : 'closed'),
    logLevel: given.LOG_LEVEL ?? 'info',
    metricsPort,
    metricsToken: given.METRICS_TOKEN,
    workerHost: given.WORKER_HOST ?? host,
    workerPort:
      given.WORKER_PORT ?? (metricsPort === 0 || metricsPort > 65_534 ? 0 : metricsPort + 1),
    allowedOrigins: given.ALLOWED_ORIGINS ?? [new URL(issuer).origin],
    trustedProxies: given.TRUSTED_PROXIES ?? [],
    rateLimits: given.RATE_LIMITS !== 'off',
    loginFloorMs: given.LOGIN_FLOOR_MS ?? 250,
    passwordHashMemoryKib: given.PASSWORD_HASH_MEMORY_KIB ?? 47_104,
    leaseSeconds: given.LEASE_SECONDS ?? 60,
    stalePolicy: given.STALE_POLICY ?? 'refuse',
    revocationPollMs: given.REVOCATION_POLL_MS ?? 50,
    refreshGraceSeconds: given.REFRESH_GRACE_SECONDS ?? 30,
    maxSessionsPerUser: given.MAX_SESSIONS_PER_USER ?? 200,
    defaultAudience: given.DEFAULT_AUDIENCE ?? issuer,
    lifetimeProfile: given.LIFETIME_PROFILE ?? 'standard',
    /** Overrides the access-token life of every device type. */
    accessTokenExpiryMs: given.ACCESS_TOKEN_EXPIRY_MS,
    /** Overrides the absolute session life of every device type that has refresh tokens. */
    refreshTokenExpiryMs: given.REFRESH_TOKEN_EXPIRY_MS,
    /** 0: no idle timeout. */
    sessionIdleSeconds: given.SESSION_IDLE_SECONDS ?? 0,
    /** How long the row of an ended session stays; its events stay for ever. */
    sessionRetentionSeconds: given.SESSION_RETENTION_SECONDS ?? 30 * 86_400,
    clockSkewSeconds: given.CLOCK_SKEW_SECONDS ?? 5,
    poolReaders: given.POOL_READERS ?? 6,
    devicePolicies: {
      web: given.DEVICE_POLICY_WEB ?? single,
      mobile: given.DEVICE_POLICY_MOBILE ?? single,
      tablet: given.DEVICE_POLICY_TABLET ?? single,
      desktop: given.DEVICE_POLICY_DESKTOP ?? single,
      service: given.DEVICE_POLICY_SERVICE ?? unlimited,
      iot: given.DEVICE_POLICY_IOT ?? fiveDevices,
    },
    /** For the log at start; nothing here stops the process. */
    warnings: [
      ...unsupportedVariables
        .filter((name) => nonEmpty(env[name]) !== undefined)
        .map((name) => `${name} is not supported by this version and was ignored`),
      ...nearMisses(env),
    ],
  };
}

const single: DevicePolicy = { kind: 'single' };
const unlimited: DevicePolicy = { kind: 'unlimited' };
const fiveDevices: DevicePolicy = { kind: 'limit', limit: 5 };
