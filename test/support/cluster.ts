import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { migrate } from '../../src/platform/postgres/migrate.ts';
import { installJobSchema } from '../../src/worker/job-schema.ts';

/** What the tests need to know of the run's cluster; plain data, because workers are other processes. */
export interface TestCluster {
  readonly ownerUrl: string;
  readonly appRole: string;
  readonly appPassword: string;
  readonly template: string;
  readonly pid: number;
}

declare module 'vitest' {
  interface ProvidedContext {
    cluster: TestCluster;
  }
}

export const migrationsDirectory = path.resolve(import.meta.dirname, '../../migrations');
export const silentLogger = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };

let running: Promise<{ cluster: TestCluster; stop(): Promise<void> }> | undefined;
let users = 0;

/** Starts one Postgres for the whole run, with a migrated template database that each test clones. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  users += 1;
  running ??= startCluster();
  const { cluster, stop } = await running;
  project.provide('cluster', cluster);
  return async () => {
    users -= 1;
    if (users === 0) await stop();
  };
}

async function startCluster() {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-test-'));
  const postgres = await startEmbeddedPostgres({
    dataDir,
    logger: silentLogger,
    settings: { max_connections: '400' },
  });
  const stop = async () => {
    await postgres.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  const template = 'latchkey_template';
  const appRole = 'latchkey_app';
  const appPassword = postgres.appPassword;
  try {
    const client = new pg.Client({ connectionString: postgres.superuserUrl });
    await client.connect();
    await client.query(`create database ${template}`);
    await client.end();
    const templateUrl = new URL(postgres.superuserUrl);
    templateUrl.pathname = `/${template}`;
    await migrate({
      ownerUrl: templateUrl.href,
      appRole,
      appPassword,
      directory: migrationsDirectory,
      logger: silentLogger,
      afterMigrations: [(client) => installJobSchema(client, appRole)],
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const { superuserUrl: ownerUrl, pid } = postgres;
  const cluster = { ownerUrl, appRole, appPassword, template, pid };
  return { cluster, stop };
}
