import { loadConfig } from '../platform/config/config.ts';
import { createLogger } from '../platform/logging/logging.ts';
import { migrate } from '../platform/postgres/migrate.ts';
import { migrationsDirectory } from '../platform/postgres/migration-files.ts';
import { installJobSchema } from '../worker/job-schema.ts';
import { required } from './required.ts';

/** Migrates the database of DATABASE_URL, as the owner of its schema. */
export async function migrateDatabase(): Promise<void> {
  const config = loadConfig(process.env, 'migrate');
  const log = createLogger({ level: config.logLevel, name: 'latchkey migrate' });
  const applied = await migrate({
    ownerUrl: required(config.databaseDirectUrl, 'DATABASE_URL'),
    ...(config.databaseUrl === config.databaseDirectUrl ? {} : { sameAs: config.databaseUrl! }),
    appRole: config.databaseAppRole,
    ...(config.databaseAppPassword === undefined
      ? {}
      : { appPassword: config.databaseAppPassword }),
    directory: migrationsDirectory,
    logger: log,
    afterMigrations: [(client) => installJobSchema(client, config.databaseAppRole)],
  });
  log.info({ applied: applied.map(({ name }) => name) }, 'the schema is current');
}
