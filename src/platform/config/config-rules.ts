import { limits } from '../../domain/kernel/limits.ts';
import type { Config } from './config.ts';
import type { ConfigProblem } from './config-error.ts';
import type { Environment, VariableName } from './config-schema.ts';

/** What a command needs: the owner's `migrate` signs nothing and needs neither issuer nor keys. */
export type ConfigPurpose = 'serve' | 'migrate';

/** The longest access-token life of any device type, per profile. */
const longestAccessSeconds = { standard: 6 * 3600, banking: 300, internal: 3600 } as const;
const passwordHashMemoryKibMin = 47_104;

/**
 * Settings that are each well-formed and contradict each other, or that production must not run
 * with.
 */
export function contradictions(
  given: Environment,
  config: Config,
  purpose: ConfigPurpose,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const refuseIf = (wrong: boolean, variable: VariableName, message: string) => {
    if (wrong) problems.push({ variable, message });
  };
  const accessSeconds = longestAccessLifeSeconds(config);
  const refreshMs = config.refreshTokenExpiryMs;
  refuseIf(
    accessSeconds > limits.accessTokenTtlSecondsMax,
    'ACCESS_TOKEN_EXPIRY_MS',
    `must be at most ${limits.accessTokenTtlSecondsMax * 1000}: revocations are remembered that long`,
  );
  refuseIf(
    refreshMs !== undefined && refreshMs <= accessSeconds * 1000,
    'REFRESH_TOKEN_EXPIRY_MS',
    `must be longer than the longest access-token life (${accessSeconds * 1000} ms)`,
  );
  refuseIf(
    config.sessionIdleSeconds !== 0 && config.sessionIdleSeconds < 2 * accessSeconds,
    'SESSION_IDLE_SECONDS',
    `must be 0 (off) or at least twice the longest access-token life (${2 * accessSeconds})`,
  );
  refuseIf(
    config.clockSkewSeconds >= accessSeconds,
    'CLOCK_SKEW_SECONDS',
    `must be shorter than an access token lives (${accessSeconds} s)`,
  );
  refuseIf(
    config.revocationPollMs * 4 > config.leaseSeconds * 1000,
    'REVOCATION_POLL_MS',
    'must leave room for four polls in LEASE_SECONDS',
  );
  refuseIf(
    given.ADMIN_PASSWORD !== undefined && given.ADMIN_EMAIL === undefined,
    'ADMIN_EMAIL',
    'must be set when ADMIN_PASSWORD is',
  );
  refuseIf(
    given.ADMIN_EMAIL !== undefined && given.ADMIN_PASSWORD === undefined,
    'ADMIN_PASSWORD',
    'must be set when ADMIN_EMAIL is; a start with an administrator who exists needs neither',
  );
  refuseIf(
    given.DATABASE_DIRECT_URL !== undefined && given.DATABASE_URL === undefined,
    'DATABASE_URL',
    'must be set when DATABASE_DIRECT_URL is',
  );
  problems.push(...addressProblems(given, config));
  if (config.appEnv === 'prod') problems.push(...productionProblems(given, config, purpose));
  return problems;
}

/** Each process of one machine has its ports, and dev serves this machine alone. */
function addressProblems(given: Environment, config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const refuseIf = (wrong: boolean, variable: VariableName, message: string) => {
    if (wrong) problems.push({ variable, message });
  };
  refuseIf(
    config.metricsPort > 65_535 || (config.metricsPort === config.port && config.port !== 0),
    'METRICS_PORT',
    'must be a port other than PORT',
  );
  refuseIf(
    config.workerPort !== 0 && [config.port, config.metricsPort].includes(config.workerPort),
    'WORKER_PORT',
    'must be a port other than PORT and METRICS_PORT',
  );
  refuseIf(
    config.appEnv === 'dev' && !isLoopback(config.host),
    'HOST',
    'must be a loopback address such as 127.0.0.1 while APP_ENV is dev: set APP_ENV=prod to serve others',
  );
  refuseIf(
    config.appEnv === 'dev' && given.WORKER_HOST !== undefined && !isLoopback(config.workerHost),
    'WORKER_HOST',
    'must be a loopback address such as 127.0.0.1 while APP_ENV is dev',
  );
  return problems;
}

function productionProblems(
  given: Environment,
  config: Config,
  purpose: ConfigPurpose,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const refuseIf = (wrong: boolean, variable: VariableName, message: string) => {
    if (wrong) problems.push({ variable, message });
  };
  refuseIf(given.DATABASE_URL === undefined, 'DATABASE_URL', 'must be set in prod');
  if (purpose === 'migrate') return problems;
  refuseIf(given.KEK === undefined, 'KEK', 'must be set in prod');
  refuseIf(
    given.ISSUER === undefined || !config.issuer.startsWith('https:'),
    'ISSUER',
    'must be an https URL in prod',
  );
  refuseIf(!config.rateLimits, 'RATE_LIMITS', 'must not be off in prod');
  refuseIf(
    config.passwordHashMemoryKib < passwordHashMemoryKibMin,
    'PASSWORD_HASH_MEMORY_KIB',
    `must be at least ${passwordHashMemoryKibMin} in prod`,
  );
  refuseIf(
    config.registration === 'open',
    'REGISTRATION',
    'must be invite or closed in prod: open registration needs proof of the address by mail',
  );
  return problems;
}

/** Whether only this machine reaches a server there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function longestAccessLifeSeconds(config: Config): number {
  const override = config.accessTokenExpiryMs;
  return override === undefined ? longestAccessSeconds[config.lifetimeProfile] : override / 1000;
}
