import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { migrate } from '../../src/platform/postgres/migrate.ts';
import { installJobSchema } from '../../src/worker/job-schema.ts';

export interface BenchPostgres {
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly version: string;
  remove(): Promise<void>;
}

const silent = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };

/** A Postgres of the benchmark's own, migrated, with the settings that every user gets. */
export async function startBenchPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<BenchPostgres> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-bench-'));
  const postgres = await startEmbeddedPostgres({ dataDir, logger: silent, settings });
  const appRole = 'latchkey_app';
  await migrate({
    ownerUrl: postgres.superuserUrl,
    appRole,
    appPassword: postgres.appPassword,
    directory: path.resolve(import.meta.dirname, '../../migrations'),
    logger: silent,
    afterMigrations: [(client) => installJobSchema(client, appRole)],
  });
  return {
    ownerUrl: postgres.superuserUrl,
    appUrl: postgres.urlFor(appRole, postgres.appPassword),
    version: await assertDurable(postgres.superuserUrl),
    remove: async () => {
      await postgres.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** A connection for arranging and measuring, which ends with `opened`. */
export async function openClient(
  opened: AsyncDisposableStack,
  connectionString: string,
  applicationName = 'bench',
): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, application_name: applicationName });
  // The query that fails says the same, and an event that nobody hears would end the process.
  client.on('error', () => {});
  await client.connect();
  return opened.adopt(client, () => client.end());
}

/** A figure without durability would be worthless. Answers the server's version. */
async function assertDurable(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const name of ['fsync', 'full_page_writes', 'synchronous_commit']) {
    const { rows } = await client.query(`show ${name}`);
    if (rows[0][name] !== 'on') throw new Error(`${name} is ${rows[0][name]}`);
  }
  const { rows } = await client.query('show server_version');
  await client.end();
  return rows[0].server_version;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Median of the rounds' ratios: both sides of each met the same moment of the machine. */
export function ratio(above: readonly number[], below: readonly number[]): number {
  return median(above.map((value, round) => value / below[round]!));
}
