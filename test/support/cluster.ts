import { mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { migrate } from '../../src/platform/postgres/migrate.ts';
import { installJobSchema } from '../../src/worker/job-schema.ts';

/** What tests need to know of the cluster; plain data, because workers are other processes. */
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
export default async function setup(
  project: Pick<TestProject, 'name' | 'provide'>,
): Promise<() => Promise<void>> {
  users += 1;
  running ??= startCluster(project.name);
  const { cluster, stop } = await running;
  project.provide('cluster', cluster);
  return async () => {
    users -= 1;
    if (users === 0) await stop();
  };
}

const memoryFolder = '/dev/shm';
const bytesNeeded = 6 * 1024 ** 3;
const prefix = 'latchkey-test-';
const longestRunMs = 6 * 3_600_000;

/**
 * Where the data goes: into memory where there is room, because every database that a test drops
 * makes Postgres write all others to disk. What tests show of durability is shown on a cluster of
 * their own (`startPrivatePostgres`).
 */
function dataFolder(project: string): string {
  if (project !== 'normal') return tmpdir();
  try {
    const { bavail, bsize } = statfsSync(memoryFolder);
    return bavail * bsize > bytesNeeded ? memoryFolder : tmpdir();
  } catch {
    return tmpdir();
  }
}

/** A run that was killed left its data behind, which is memory until somebody removes it. */
function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder).filter((other) => other.startsWith(prefix))) {
    const dataDir = path.join(folder, name);
    try {
      const isOld = Date.now() - statSync(dataDir).mtimeMs > longestRunMs;
      if (isOld) rmSync(dataDir, { recursive: true, force: true });
    } catch {
      // Another run removed it first, or it is another user's.
    }
  }
}

async function startCluster(project: string) {
  const folder = dataFolder(project);
  if (folder === memoryFolder) removeAbandoned(folder);
  const dataDir = mkdtempSync(path.join(folder, prefix));
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
