import { type ConfigOf, nonEmpty, readTopics } from '../platform/config/read-topics.ts';
import type { ConfigPurpose } from '../platform/config/topic.ts';
import { encryption, passwords } from '../platform/crypto/settings.ts';
import { environment } from '../platform/environment.ts';
import { logging } from '../platform/logging/settings.ts';
import { mail } from '../platform/mail/settings.ts';
import { database } from '../platform/postgres/settings.ts';
import { redis } from '../platform/redis/settings.ts';
import { deviceKeys } from './settings/device-keys.ts';
import { erasure } from './settings/erasure.ts';
import { http } from './settings/http.ts';
import { keyset } from './settings/keyset.ts';
import { metrics, worker } from './settings/operator.ts';
import { devicePolicies, lifetimes, refresh, sessions } from './settings/session.ts';
import { sessionKeys, signingPolicies } from './settings/session-key.ts';
import { browser, tokens } from './settings/tokens.ts';
import { administrator, authentication, registration, usernames } from './settings/user.ts';
import { verification } from './settings/verification.ts';

/** Every topic of settings, in the order of the page and of `.env.example`. */
export const topics = {
  environment,
  http,
  tokens,
  browser,
  database,
  redis,
  administrator,
  authentication,
  registration,
  usernames,
  erasure,
  mail,
  encryption,
  passwords,
  keyset,
  verification,
  refresh,
  lifetimes,
  sessions,
  devicePolicies,
  deviceKeys,
  signingPolicies,
  sessionKeys,
  logging,
  metrics,
  worker,
} as const;

/** The checked settings, by topic: `config.refresh.graceSeconds`. */
export type Config = ConfigOf<typeof topics>;

/**
 * Reads the configuration from environment variables. Secrets may stand in files (`KEK_FILE` for
 * `KEK`). Throws ConfigError with every problem, never with a secret in it.
 */
export function loadConfig(
  env: NodeJS.ProcessEnv = process.env,
  purpose: ConfigPurpose = 'serve',
): Config {
  return readTopics(topics, { env, purpose });
}

/** The environment of a command for production: without a word on APP_ENV, or an empty one, prod. */
export function prodUnlessTold(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, APP_ENV: nonEmpty(env.APP_ENV) ?? 'prod' };
}
