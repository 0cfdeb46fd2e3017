import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBlackHoleProxy } from '../support/black-hole-proxy.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import {
  productionEnv,
  type RunningLatchkey,
  runLatchkey,
  startLatchkey,
} from '../support/run-latchkey.ts';

let database: TestDatabase;
let running: RunningLatchkey | undefined;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await running?.stop();
  await database.drop();
});

async function refusal(command: string, env: Record<string, string>): Promise<string> {
  const { code, stderr } = await runLatchkey(command.split(' '), { ...productionEnv, ...env });
  expect({ code, lines: stderr.trim().split('\n').length }).toEqual({ code: 1, lines: 1 });
  return stderr.trim();
}

describe('a start that waits for its database', () => {
  // Fails when nothing handles the signal yet: process 1 of a container would not hear it.
  it.each(['serve', 'worker', 'migrate', 'dev'])(
    'B3: says so and ends at SIGTERM (%s)',
    async (command) => {
      const network = await openBlackHoleProxy(database.appUrl);
      network.swallow(true);
      const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-waiting-'));
      const env = {
        ...productionEnv,
        WORKER_PORT: '0',
        DATABASE_URL: network.url,
        DATA_DIR: folder,
      };
      const waiting = await startLatchkey([command], env, {
        until: 'the database does not answer yet',
      });
      expect(await waiting.stop()).toBe(143);
      await network.close();
      rmSync(folder, { recursive: true });
    },
  );
});

describe('B2: the environment of serve and worker', () => {
  it.each(['serve', 'worker'])('B2: an empty APP_ENV means prod for %s', async (command) => {
    const env = { APP_ENV: '', DATABASE_URL: database.appUrl, ISSUER: 'http://latchkey.test' };
    expect(await refusal(command, env)).toBe('ISSUER must be an https URL in prod.');
  });

  it('B2: the ready line names it', async () => {
    const env = { ...productionEnv, APP_ENV: '', DATABASE_URL: database.appUrl };
    const credentials = {
      ADMIN_EMAIL: 'admin@localhost',
      ADMIN_PASSWORD: 'a quiet harbour at dusk',
    };
    running = await startLatchkey(['serve'], { ...env, ...credentials });
    expect(running.ready).toMatchObject({ environment: 'prod' });
    // E13: the administrator of the dev default may be configured as well.
    const answer = await fetch(`http://127.0.0.1:${running.ready.port}/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'admin@localhost', password: 'a quiet harbour at dusk' }),
    });
    expect(answer.status).toBe(200);
    expect(await running.stop()).toBe(0);
  });

  it('B10: a changed ADMIN_PASSWORD is not applied, and that is said', async () => {
    const env = { ...productionEnv, DATABASE_URL: database.appUrl, ADMIN_EMAIL: 'admin@localhost' };
    const changed = { ...env, ADMIN_PASSWORD: 'another harbour at dawn' };
    running = await startLatchkey(['serve'], changed);
    const warnings = running.lines.filter((line) => line.includes('"level":"warn"'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('ADMIN_PASSWORD is not the password');
    expect(warnings[0]).not.toContain('harbour');
    await running.stop();
  });
});

describe('B10: what an operator gets wrong is said with the variable and the remedy', () => {
  it.each(['serve', 'worker', 'keys list', 'rebuild'])(
    'B10: %s on a database that is not migrated',
    async (command) => {
      const empty = await createEmptyDatabase();
      const env = { DATABASE_URL: empty.ownerUrl };
      expect(await refusal(command, env)).toMatch(/run `latchkey migrate` first\.$/);
      await empty.drop();
    },
  );

  it.each(['serve', 'worker'])('B10: %s with the role of the owner', async (command) => {
    expect(await refusal(command, { DATABASE_URL: database.ownerUrl })).toMatch(
      /^DATABASE_URL names the role \w+, which may change the log: give this process the/,
    );
  });

  it('B10: a DATABASE_DIRECT_URL that leads to another database', async () => {
    const other = await createTestDatabase();
    const env = { DATABASE_URL: database.appUrl, DATABASE_DIRECT_URL: other.appUrl };
    const message = /^DATABASE_DIRECT_URL leads to another database than DATABASE_URL/;
    expect(await refusal('serve', env)).toMatch(message);
    const owners = { DATABASE_URL: database.ownerUrl, DATABASE_DIRECT_URL: other.ownerUrl };
    expect(await refusal('migrate', owners)).toMatch(message);
    await other.drop();
  });

  it('B10: ADMIN_EMAIL without a password', async () => {
    const env = { DATABASE_URL: database.appUrl, ADMIN_EMAIL: 'admin@example.com' };
    expect(await refusal('serve', env)).toMatch(/^ADMIN_PASSWORD must be set when ADMIN_EMAIL is/);
  });
});
