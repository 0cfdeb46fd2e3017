import { type Api, startApi } from '../api/serve.ts';
import { type Config, loadConfig } from '../node/config.ts';
import { authority } from '../platform/address.ts';
import { loadKeyRing } from '../platform/crypto/key-encryption-key.ts';
import { localKeyWrap } from '../platform/crypto/key-wrap.ts';
import { startEmbeddedPostgres } from '../platform/embedded-postgres/start.ts';
import { createLogger, type Logger } from '../platform/logging/logging.ts';
import { DevelopmentMailbox } from '../platform/mail/mailbox.ts';
import { processRegistry } from '../platform/metrics/registry.ts';
import { migrate } from '../platform/postgres/migrate.ts';
import { migrationsDirectory } from '../platform/postgres/migration-files.ts';
import { installJobSchema } from '../worker/job-schema.ts';
import { mailConfigOf } from '../worker/mail/config.ts';
import { startWorker } from '../worker/worker.ts';
import {
  type AdministratorCredentials,
  administratorCredentials,
} from './administrator-credentials.ts';
import { keepRunning } from './keep-running.ts';
import { endOnSignal, untilStopped } from './shutdown.ts';

/** Everything on loopback with one command: what `npm start` runs. */
export async function dev(): Promise<void> {
  const config = loadConfig();
  const log = createLogger({ level: config.logging.level, name: 'latchkey' });
  for (const warning of config.warnings) log.warn({}, warning);
  // A failure during the start closes what was started, the database last.
  await using running = new AsyncDisposableStack();
  const credentials = administratorCredentials(config);
  const database = running.adopt(await startDatabase(config, log), ({ stop }) => stop());
  const shared = {
    config,
    databaseUrl: database.appUrl,
    ...(config.database.directUrl === undefined ? {} : { directUrl: config.database.directUrl }),
    ownerAllowed: true,
    log,
    registry: processRegistry(),
  };
  const mailbox = config.mail.smtpUrl === undefined ? new DevelopmentMailbox() : undefined;
  const api = await startApi({
    ...shared,
    administrator: credentials,
    ...(mailbox === undefined ? {} : { mailbox }),
  });
  const keyWrap = localKeyWrap(loadKeyRing(config));
  const worker = await startWorker({
    ...{ ...shared, ...redisOf(config), ...mailConfigOf(config), keyWrap },
    ...(mailbox === undefined ? {} : { mailbox: mailbox.send }),
  }).catch(async (error: unknown) => {
    await api.stop();
    throw error;
  });
  running.defer(async () => {
    await api.stop();
    await worker.stop();
  });
  announce(api, credentials, config, log);
  await untilStopped(log, () => running.disposeAsync());
}

function redisOf({ redis: { url } }: Config): { redisUrl?: string } {
  return url === undefined ? {} : { redisUrl: url };
}

interface Database {
  readonly appUrl: string;
  stop(): Promise<void>;
}

async function startDatabase(config: Config, log: Logger): Promise<Database> {
  if (config.database.url !== undefined) {
    endOnSignal();
    await migrateAs(config, config.database.directUrl ?? config.database.url, undefined, log);
    return { appUrl: config.database.url, stop: async () => {} };
  }
  const postgres = await startEmbeddedPostgres({
    dataDir: config.environment.dataDir,
    logger: log,
  });
  try {
    await migrateAs(config, postgres.url, postgres.appPassword, log);
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  return {
    appUrl: postgres.urlFor(config.database.appRole, postgres.appPassword),
    stop: keepRunning(postgres, { dataDir: config.environment.dataDir, log }),
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
    appRole: config.database.appRole,
    ...(appPassword === undefined ? {} : { appPassword }),
    directory: migrationsDirectory,
    logger: log,
    afterMigrations: [(client) => installJobSchema(client, config.database.appRole)],
  });
}

function announce(
  api: Api,
  { email, password, file }: AdministratorCredentials,
  config: Config,
  log: Logger,
): void {
  const environment = config.environment.name;
  const url = `http://${authority(api.host, api.port)}`;
  const metrics = `http://127.0.0.1:${api.metricsPort}/metrics`;
  log.info({ environment, url, docs: `${url}/docs`, metrics }, 'ready');
  const where = file === null ? 'from ADMIN_EMAIL and ADMIN_PASSWORD' : `kept in ${file}`;
  const credentials = '{"email":"ada@example.com","password":"a quiet harbour at dusk"}';
  // For a person at a terminal; the structured line above is for machines.
  console.log(`
Latchkey is ready (${environment}).
  API      ${url}
  Docs     ${url}/docs${config.mail.smtpUrl === undefined ? `\n  Mails    ${url}/dev/mailbox` : ''}
  Admin    ${email}${process.stdout.isTTY ? `, password ${password}` : ''} (${where})

Register, then log in:
  curl -s ${url}/auth/register -H 'content-type: application/json' -d '${credentials}'
  curl -s ${url}/auth/login -H 'content-type: application/json' -d '${credentials}'
`);
}
