import { randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { twoFactorUser } from '../support/authenticator.ts';
import { bcryptHash } from '../support/bcrypt.ts';
import { withClient } from '../support/postgres.ts';
import { runLatchkey } from '../support/run-latchkey.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'latchkey-export-'));
const keks = [0, 1].map(() => `test:${randomBytes(32).toString('base64url')}`);
const apis: TestApi[] = [];
beforeAll(async () => {
  for (const KEK of keks) {
    apis.push(await startTestApi({ LOGIN_FLOOR_MS: '0', USERNAMES: 'on', KEK }));
  }
});
afterAll(async () => {
  for (const api of apis) await api.stop();
  rmSync(directory, { recursive: true });
});

function latchkey(index: number, ...args: string[]) {
  const { database } = apis[index]!;
  return runLatchkey(['users', ...args], {
    DATABASE_URL: database.appUrl,
    APP_ENV: 'dev',
    LOG_LEVEL: 'fatal',
    USERNAMES: 'on',
    KEK: keks[index]!,
  });
}

const usersOf = (file: string): Readonly<Record<string, unknown>>[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
const byId = (file: string) =>
  usersOf(file)
    .map(({ created_at: _, ...user }) => user)
    .sort((a, b) => String(a.id).localeCompare(String(b.id)));

// Each starts processes: on a busy machine that takes seconds.
describe('latchkey users export', { timeout: 60_000 }, () => {
  const [first, second, third] = ['first', 'second', 'third'].map((name) =>
    path.join(directory, `${name}.ndjson`),
  ) as [string, string, string];
  const old = { id: randomUUID(), email: anEmail(), username: 'old.one', name: 'Ö', roles: ['x'] };
  const disabled = { id: randomUUID(), email: anEmail(), disabled: true };

  it('writes all users for its owner alone, without hashes unless it is told to', async () => {
    await apis[0]!.register();
    await apis[0]!.admin();
    const imported = path.join(directory, 'imported.ndjson');
    const password_hash = bcryptHash('short');
    writeFileSync(
      imported,
      [{ ...old, password_hash }, disabled].map((u) => JSON.stringify(u)).join('\n'),
    );
    expect((await latchkey(0, 'import', imported)).code).toBe(0);

    writeFileSync(first, 'what was there');
    chmodSync(first, 0o644);
    const { code, stdout, stderr } = await latchkey(0, 'export', first);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toContain('4 users exported');
    expect(stderr).toContain('The roles latchkey:* of 1 users are left out');
    expect(statSync(first).mode & 0o777).toBe(0o600);
    expect(usersOf(first)).toHaveLength(4);
    expect(usersOf(first)).toContainEqual({
      ...old,
      email_verified: false,
      disabled: false,
      created_at: expect.any(String),
    });
    expect(readFileSync(first, 'utf8')).not.toMatch(/password_hash|latchkey:/);
  });

  it('goes into another installation and comes out as it was', async () => {
    expect((await latchkey(0, 'export', second, '--password-hashes')).code).toBe(0);
    expect((await latchkey(1, 'import', second, '--trust-verified')).stdout).toContain(
      '4 users imported, 0 were there already, 0 refused',
    );
    expect((await latchkey(1, 'export', third, '--password-hashes')).code).toBe(0);
    expect(byId(third)).toEqual(byId(second));
    expect(byId(second).filter(({ password_hash }) => password_hash !== undefined)).toHaveLength(3);

    const logIn = (body: object) => apis[1]!.call('POST', '/auth/login', { body });
    expect((await logIn({ username: 'OLD.one', password: 'short' })).status).toBe(200);
    const registered = usersOf(second).find(({ password_form: form }) => form === 'nfc')!;
    const password = testPassword;
    expect((await logIn({ email: registered.email, password })).status).toBe(200);
    expect((await logIn({ email: disabled.email, password })).status).toBe(401);
  });

  it('writes to the standard output, and nothing else there', async () => {
    const { stdout } = await latchkey(0, 'export', '-');
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id)
        .sort(),
    ).toEqual(
      usersOf(first)
        .map(({ id }) => id)
        .sort(),
    );
  });

  it('says how many users have a second factor that the file does not hold', async () => {
    expect((await latchkey(0, 'export', second)).stderr).not.toContain('second factor');
    await twoFactorUser(apis[0]!);
    const { code, stderr } = await latchkey(0, 'export', second);
    expect(code).toBe(0);
    expect(stderr).toContain('1 users have a second factor, which no file holds');
  });

  it('says how many users it had to leave out, and ends with code 2', async () => {
    await withClient(apis[1]!.database.ownerUrl, (client) =>
      client.query(`update latchkey.users set roles = array['x', 'y'] where user_id = $1`, [
        old.id,
      ]),
    );
    const { code, stderr } = await latchkey(1, 'export', third);
    expect([code, stderr]).toEqual([2, expect.stringContaining('3 users exported')]);
    expect(stderr).toContain('1 users are left out, because their rows are not as Latchkey');
    expect(stderr).toContain(`${third} holds the others.`);
    expect(usersOf(third)).toHaveLength(3);
  });
});
