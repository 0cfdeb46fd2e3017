import type { Config } from '../node/config.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { runningEmbeddedPostgres } from '../platform/embedded-postgres/start.ts';

export interface DatabaseUrls {
  /** As the role that DATABASE_URL names; in dev, the owner of the embedded Postgres. */
  readonly owner: string;
  readonly application: string;
}

/**
 * Where a command of an operator finds the log: DATABASE_URL, or in dev the embedded Postgres that
 * `npm start` runs. Throws ConfigError.
 */
export function databaseUrls(config: Config): DatabaseUrls {
  if (config.database.url !== undefined) {
    return {
      owner: config.database.directUrl ?? config.database.url,
      application: config.database.url,
    };
  }
  const embedded = runningEmbeddedPostgres(config.environment.dataDir);
  if (embedded === null) {
    throw new ConfigError([
      { variable: 'DATABASE_URL', message: 'must be set, or the service be started (npm start)' },
    ]);
  }
  return {
    owner: embedded.url,
    application: embedded.urlFor(config.database.appRole, embedded.appPassword),
  };
}
