import { ensureAdministrator } from '../api/commands/ensure-administrator.ts';
import { type Api, migrationsDirectory, startApi } from '../api/serve.ts';
import { type Config, loadConfig } from '../platform/config.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../platform/embedded-postgres.ts';
import { createLogger, type Logger } from '../platform/logging.ts';
import { migrate } from '../platform/migrate.ts';
import { installJobSchema } from '../worker/job-schema.ts';
import { startWorker } from '../worker/worker.ts';
import {
  type AdministratorCredentials,
  administratorCredentials,
} from './administrator-credentials.ts';
import { untilStopped } from './shutdown.ts';
import { startUpMeta } from './start-up-meta.ts';

/** Everything on loopback with one command: what `npm start` runs. */
export async function dev(): Promise<void> {
  const config = loadConfig();
  const log = createLogger({ level: config.logLevel, name: 'latchkey' });
  for (const warning of config.warnings) log.warn({}, warning);
  const database = await startDatabase(config, log);
  try {
    const api = await startApi({ config, databaseUrl: database.appUrl, log });
    const { registry } = api.services.metrics;
    const worker = await startWorker({ config, databaseUrl: database.appUrl, log, registry });
    const credentials = administratorCredentials(config);
    await ensureAdministrator(api.services, credentials, startUpMeta);
    announce(api, credentials, log);
    await untilStopped(log, async () => {
      await api.stop();
      await worker.stop();
    });
  } finally {
    await database.stop();
  }
}

interface Database {
  readonly appUrl: string;
  stop(): Promise<void>;
}

async function startDatabase(config: Config, log: Logger): Promise<Database> {
  if (config.databaseUrl !== undefined) {
    await migrateAs(config, config.databaseUrl, undefined, log);
    return { appUrl: config.databaseUrl, stop: async () => {} };
  }
  const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, logger: log });
  try {
    await migrateAs(config, postgres.url, postgres.appPassword, log);
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  return {
    appUrl: postgres.urlFor(config.databaseAppRole, postgres.appPassword),
    stop: keepRunning(postgres, config, log),
  };
}

/**
 * Starts Postgres again, on the same port, whenever it ends by itself; the service recovers as it
 * would from any other loss of its database. Answers the function that ends both.
 */
function keepRunning(first: EmbeddedPostgres, config: Config, log: Logger): () => Promise<void> {
  let current = first;
  let stopping = false;
  const restart = async () => {
    await current.ended;
    if (stopping) return;
    log.error({}, 'embedded Postgres has ended: starting it again');
    await current.stop();
    current = await startEmbeddedPostgres({ dataDir: config.dataDir, logger: log });
    watch();
  };
  const watch = () => {
    restart().catch((error: unknown) => {
      log.fatal({ err: error }, 'embedded Postgres does not start again: the service ends');
      process.exitCode = 1;
      process.kill(process.pid, 'SIGTERM');
    });
  };
  watch();
  return () => {
    stopping = true;
    return current.stop();
  };
}

async function migrateAs(
  config: Config,
  ownerUrl: string,
  appPassword: string | undefined,
  log: Logger,
): Promise<void> {
  await migrate({
    ownerUrl,
    appRole: config.databaseAppRole,
    ...(appPassword === undefined ? {} : { appPassword }),
    directory: migrationsDirectory,
    logger: log,
    afterMigrations: [(client) => installJobSchema(client, config.databaseAppRole)],
  });
}

function announce(
  api: Api,
  { email, password, file }: AdministratorCredentials,
  log: Logger,
): void {
  const url = `http://${api.host}:${api.port}`;
  log.info(
    { url, docs: `${url}/docs`, metrics: `http://127.0.0.1:${api.metricsPort}/metrics` },
    'ready',
  );
  const where = file === null ? 'from ADMIN_EMAIL and ADMIN_PASSWORD' : `kept in ${file}`;
  const credentials = '{"email":"ada@example.com","password":"a quiet harbour at dusk"}';
  // For a person at a terminal; the structured line above is for machines.
  console.log(`
Latchkey is ready.
  API      ${url}
  Docs     ${url}/docs
  Admin    ${email}${process.stdout.isTTY ? `, password ${password}` : ''} (${where})

Register, then log in:
  curl -s ${url}/auth/register -H 'content-type: application/json' -d '${credentials}'
  curl -s ${url}/auth/login -H 'content-type: application/json' -d '${credentials}'
`);
}
