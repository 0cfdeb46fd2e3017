import { loadConfig } from '../node/config.ts';
import { createLogger } from '../platform/logging/logging.ts';
import { migrate } from '../platform/postgres/migrate.ts';
import { migrationsDirectory } from '../platform/postgres/migration-files.ts';
import { installJobSchema } from '../worker/job-schema.ts';
import { required } from './required.ts';
import { endOnSignal } from './shutdown.ts';

/** Migrates the database of DATABASE_URL, as the owner of its schema. */
export async function migrateDatabase(): Promise<void> {
  endOnSignal();
  const config = loadConfig(process.env, 'migrate');
  const log = createLogger({ level: config.logging.level, name: 'latchkey migrate' });
  const applied = await migrate({
    ownerUrl: required(config.database.directUrl, 'DATABASE_URL'),
    ...(config.database.url === config.database.directUrl ? {} : { sameAs: config.database.url! }),
    appRole: config.database.appRole,
    ...(config.database.appPassword === undefined
      ? {}
      : { appPassword: config.database.appPassword }),
    directory: migrationsDirectory,
    logger: log,
    afterMigrations: [(client) => installJobSchema(client, config.database.appRole)],
  });
  log.info({ applied: applied.map(({ name }) => name) }, 'the schema is current');
}
