import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { ensureDataDirectory } from '../data-directory.ts';
import { sqlState } from '../postgres/errors.ts';
import { createLauncher, type LaunchMode, type PostgresLauncher } from './binaries.ts';
import { requireSameMajor } from './cluster-version.ts';
import { awaitDirectoryLock } from './directory-lock.ts';
import { choosePort } from './free-port.ts';
import { stopOrphanedPostgres, stopPostgres } from './process.ts';
import { outputOf } from './run-program.ts';

export interface EmbeddedPostgresOptions {
  readonly dataDir: string;
  readonly logger: { info(fields: object, message: string): void };
  /** A fixed port; by default the one kept in the data directory, or a free one. */
  readonly port?: number;
  /** For tests: how Postgres is started, instead of the first way that works. */
  readonly launchMode?: LaunchMode;
  /** For tests: more `-c name=value` settings, none of which may touch durability. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  /** The connection URL of the schema's owner, an ordinary role, with its password. */
  readonly url: string;
  /** The same as the superuser of the cluster, for tests that arrange what nobody else may. */
  readonly superuserUrl: string;
  /** The URL of another role and database of the cluster. */
  urlFor(role: string, password: string, database?: string): string;
  /**
   * A password for the application role: derived from the cluster's, so that a restart finds the
   * same.
   */
  readonly appPassword: string;
  readonly pid: number;
  readonly port: number;
  readonly launchMode: LaunchMode;
  /** Resolves when the server has ended, for any reason. */
  readonly ended: Promise<void>;
  /** Ends Postgres in good order and frees the data directory. Safe to call twice. */
  stop(): Promise<void>;
}

/** Both the role that owns the schema and its database. */
const owner = 'latchkey';
const superuser = 'postgres';
const stagingPrefix = 'initdb-';
const startTimeoutMs = 20_000;
const durabilitySettings = ['fsync', 'full_page_writes', 'synchronous_commit'];

/**
 * Starts a real Postgres on loopback with its data in `<dataDir>/postgres`, created at the first
 * start. A server that a killed process left behind is stopped first. Throws while another live
 * process uses the data directory.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const refused = durabilitySettings.find((name) => options.settings?.[name] !== undefined);
  if (refused !== undefined) throw new Error(`${refused} is not ours to change`);
  ensureDataDirectory(options.dataDir);
  const dataDir = realpathSync(options.dataDir);
  const lock = await awaitDirectoryLock(path.join(dataDir, 'postgres.lock'));
  if (lock === undefined) {
    throw new Error(
      `Another process runs the embedded Postgres in ${dataDir}: ` +
        'stop it, or set another DATA_DIR or DATABASE_URL',
    );
  }
  try {
    const launcher = createLauncher(dataDir, options.launchMode);
    const cluster = path.join(dataDir, 'postgres');
    const password = keepSecret(path.join(dataDir, 'postgres-password'));
    await stopOrphanedPostgres(cluster, options.logger);
    for (const left of readdirSync(dataDir).filter((name) => name.startsWith(stagingPrefix))) {
      rmSync(path.join(dataDir, left), { recursive: true });
    }
    if (existsSync(cluster)) {
      launcher.handOver(cluster);
      requireSameMajor(cluster, await run(launcher, 'postgres', ['--version']));
    } else await initialise(launcher, cluster, password);
    const server = await start(launcher, cluster, password, options);
    let stopping: Promise<void> | undefined;
    const stop = () => {
      stopping ??= server.stop().finally(() => lock.release());
      return stopping;
    };
    return {
      ...connectionUrls(password, server.port),
      pid: server.child.pid!,
      port: server.port,
      launchMode: launcher.mode,
      ended: exitOf(server.child).then(() => {}),
      stop,
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Reads the secret in `file`, or writes a new one that only this user can read. */
function keepSecret(file: string): string {
  if (!existsSync(file)) {
    const secret = randomBytes(24).toString('hex');
    writeFileSync(`${file}.new`, secret, { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
  }
  return readFileSync(file, 'utf8').trim();
}

/**
 * Runs initdb beside the final place and renames at the end: a cluster is there whole or not at
 * all.
 */
async function initialise(
  launcher: PostgresLauncher,
  cluster: string,
  password: string,
): Promise<void> {
  const work = path.dirname(cluster);
  const staging = mkdtempSync(path.join(work, stagingPrefix));
  const passwordFile = path.join(staging, 'password');
  const fresh = path.join(staging, 'postgres');
  try {
    mkdirSync(fresh, { mode: 0o700 });
    writeFileSync(passwordFile, password, { mode: 0o600 });
    launcher.handOver(staging);
    await run(launcher, 'initdb', [
      `--pgdata=${fresh}`,
      `--username=${superuser}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--data-checksums',
      '--no-instructions',
    ]);
    renameSync(fresh, cluster);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

function run(launcher: PostgresLauncher, program: string, args: string[]): Promise<string> {
  const command = launcher.command(program, args);
  return outputOf(command.file, command.args, {
    ...launcher.spawnOptions,
    env: serverEnvironment(),
  });
}

/** Nothing of ours is Postgres' business: no PG* variable, no secret. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}

function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
}

async function start(
  launcher: PostgresLauncher,
  cluster: string,
  password: string,
  options: EmbeddedPostgresOptions,
): Promise<{ child: ChildProcess; port: number; stop: () => Promise<void> }> {
  const portFile = path.join(path.dirname(cluster), 'postgres-port');
  const logFile = path.join(path.dirname(cluster), 'postgres-server.log');
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await choosePort(portFile));
    const child = spawnServer(launcher, cluster, port, logFile, options.settings ?? {});
    const stop = tieToThisProcess(child, cluster);
    try {
      await waitUntilReady(child, port, password);
      writeFileSync(portFile, `${port}\n`);
      const fields = { postgres_pid: child.pid, port, mode: launcher.mode };
      options.logger.info(fields, 'embedded Postgres started');
      return { child, port, stop };
    } catch (error) {
      await stop();
      const log = readFileSync(logFile, 'utf8').trim();
      if (attempt < 3 && /Address already in use|shared memory block/.test(log)) {
        await delay(200);
        continue;
      }
      const tail = log.split('\n').slice(-15).join('\n');
      throw new Error(`Embedded Postgres did not start: ${(error as Error).message}\n${tail}`);
    }
  }
}

function spawnServer(
  launcher: PostgresLauncher,
  cluster: string,
  port: number,
  logFile: string,
  extra: Readonly<Record<string, string>>,
): ChildProcess {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    max_connections: '200',
    ...extra,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const command = launcher.command('postgres', ['-D', cluster, ...args]);
  const log = openSync(logFile, 'w', 0o600);
  try {
    // A group of its own: Ctrl-C in a terminal must reach us alone, so that requests drain before
    // the database goes.
    return spawn(command.file, command.args, {
      ...launcher.spawnOptions,
      cwd: '/',
      env: serverEnvironment(),
      stdio: ['ignore', log, log],
      detached: true,
    });
  } finally {
    closeSync(log);
  }
}

async function waitUntilReady(child: ChildProcess, port: number, password: string): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  let ended: string | undefined;
  child.once('error', (error) => (ended = error.message));
  child.once('exit', (code, signal) => (ended = `exited with ${code ?? signal}`));
  while (ended === undefined) {
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user: superuser,
      password,
      database: 'postgres',
      connectionTimeoutMillis: 2000,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      await ensureOwner(client, ownerPassword(password));
      return;
    } catch (error) {
      if (sqlState(error)?.startsWith('28') === true) {
        throw new Error(
          'The embedded Postgres does not know its own password: ' +
            'its data is of an early development version, or was changed. Set another DATA_DIR',
          { cause: error },
        );
      }
      if (Date.now() > deadline) throw error;
      await delay(20);
    } finally {
      await client.end().catch(() => {});
    }
  }
  throw new Error(ended);
}

/** The owner may make the application's role and nothing else that a superuser may. */
async function ensureOwner(client: pg.Client, password: string): Promise<void> {
  const { rows } = await client.query(
    `select exists (select from pg_roles where rolname = $1) as role,
      exists (select from pg_database where datname = $1) as database`,
    [owner],
  );
  const secret = client.escapeLiteral(password);
  if (!rows[0].role) await client.query(`create role ${owner} login createrole password ${secret}`);
  if (!rows[0].database) await client.query(`create database ${owner} owner ${owner}`);
}

/**
 * Ends the server when this process ends, from its first moment on. Answers the function that stops
 * it in good order.
 */
function tieToThisProcess(child: ChildProcess, cluster: string): () => Promise<void> {
  let stopping: Promise<void> | undefined;
  const onExit = () => child.kill('SIGINT');
  const stop = () => {
    stopping ??= stopPostgres(child.pid!, cluster).finally(() => {
      process.off('exit', onExit);
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
    });
    return stopping;
  };
  // Another listener drains first and calls stop(). Without one, the server must not stay behind.
  const onSignal = (signal: NodeJS.Signals) => {
    if (process.listenerCount(signal) > 1) return;
    void stop().finally(() => process.kill(process.pid, signal));
  };
  process.on('exit', onExit);
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  child.unref();
  return stop;
}

/**
 * The URLs of a cluster that another process runs in `dataDir`; null when none was ever started
 * there.
 */
export function runningEmbeddedPostgres(
  dataDir: string,
): Pick<EmbeddedPostgres, 'url' | 'superuserUrl' | 'urlFor' | 'appPassword'> | null {
  const passwordFile = path.join(dataDir, 'postgres-password');
  const portFile = path.join(dataDir, 'postgres-port');
  if (!existsSync(passwordFile) || !existsSync(portFile)) return null;
  const password = readFileSync(passwordFile, 'utf8').trim();
  return connectionUrls(password, Number(readFileSync(portFile, 'utf8').trim()));
}

function ownerPassword(password: string): string {
  return createHmac('sha256', password).update('owner').digest('hex');
}

function connectionUrls(password: string, port: number) {
  const urlFor = (role: string, secret: string, database = owner) =>
    `postgres://${role}:${encodeURIComponent(secret)}@127.0.0.1:${port}/${database}`;
  return {
    url: urlFor(owner, ownerPassword(password)),
    superuserUrl: urlFor(superuser, password),
    urlFor,
    appPassword: createHmac('sha256', password).update('application role').digest('hex'),
  };
}
