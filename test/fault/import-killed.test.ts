import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { withClient } from '../support/postgres.ts';

const users = 6_000;
const kills = 3;
const kek = `test:${randomBytes(32).toString('base64url')}`;
const directory = mkdtempSync(path.join(tmpdir(), 'latchkey-import-killed-'));
const file = path.join(directory, 'users.ndjson');
const command = path.resolve(import.meta.dirname, '../../src/cli/latchkey.ts');
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ KEK: kek });
  const password_hash = '$2b$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
  const lines = Array.from({ length: users }, (_, n) => {
    // Half of the ids are kept, half are made of what stands there.
    const id = n % 2 === 0 ? randomUUID() : `old-${n}`;
    return JSON.stringify({ id, email: `killed-${n}@example.com`, password_hash });
  });
  writeFileSync(file, lines.join('\n'));
});
afterAll(async () => {
  await api.stop();
  rmSync(directory, { recursive: true });
});

const env = () => ({
  DATABASE_URL: api.database.appUrl,
  APP_ENV: 'dev',
  LOG_LEVEL: 'fatal',
  KEK: kek,
});
/** It may run for as long as it takes. */
const startImport = () =>
  spawn(process.execPath, [command, 'users', 'import', file], {
    env: { PATH: process.env.PATH, ...env() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
const count = () =>
  withClient(api.database.ownerUrl, async (owner) => {
    const { rows } = await owner.query(
      `select count(*)::int as users, count(p.user_id)::int as hashes,
        count(c.user_id)::int as addresses, count(k.subject_id)::int as keys,
        (select count(*)::int from latchkey.events where type = 'UserRegistered') as events,
        (select count(*)::int from latchkey.streams where kind = 1) as streams
      from latchkey.users u left join latchkey.password_hashes p using (user_id)
        left join latchkey.credentials c using (user_id)
        left join latchkey.subject_keys k on k.subject_id = u.user_id`,
    );
    return rows[0] as Readonly<Record<string, number>>;
  });

// Fails when a user is made again, or half of one is left, by a run after one that was killed.
it('a killed import goes on where it was, and makes nobody twice', async () => {
  const before = await count();
  for (let kill = 1; kill <= kills; kill += 1) {
    const child = startImport();
    const exited = once(child, 'exit');
    const enough = before.users! + (users * kill) / (kills + 1);
    await expect
      .poll(async () => (await count()).users, { interval: 20, timeout: 120_000 })
      .toBeGreaterThan(enough);
    child.kill('SIGKILL');
    expect(await exited).toEqual([null, 'SIGKILL']);
    // Postgres may still be at the last batch of the process that is gone.
    expect((await count()).users).toBeLessThan(before.users! + users);
  }
  const last = startImport();
  let stdout = '';
  last.stdout.on('data', (chunk) => (stdout += chunk));
  expect(await once(last, 'close')).toEqual([0, null]);
  const [, imported, present] = /^(\d+) users imported, (\d+) were there/.exec(stdout) ?? [];
  expect(Number(imported)).toBeGreaterThan(0);
  expect(Number(imported) + Number(present)).toBe(users);
  const after = await count();
  for (const what of Object.keys(before)) {
    expect(after[what]! - before[what]!, what).toBe(users);
  }
});
