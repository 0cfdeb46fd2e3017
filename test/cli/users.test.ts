import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enrolmentCode } from '../../src/app/user/enrolment-code.ts';
import { findUserByEmail } from '../../src/app/user/find-user-by-email.ts';
import { startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { twoFactorUser } from '../support/authenticator.ts';
import { runLatchkey } from '../support/run-latchkey.ts';

const kek = `test:${randomBytes(32).toString('base64url')}`;
const email = 'first.admin@example.com';
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0', KEK: kek });
  await api.admin();
});
afterAll(() => api.stop());

const attempt = (password = testPassword) =>
  api.call('POST', '/auth/login', { body: { email, password } });
async function lockTheOnlyAdministrator() {
  for (let count = 0; count < 10; count += 1) await attempt('a wrong sentence');
  expect((await attempt()).status).toBe(401);
}
async function latchkey(args: string[], env: Record<string, string> = { KEK: kek }) {
  const base = { DATABASE_URL: api.database.appUrl, APP_ENV: 'dev', LOG_LEVEL: 'fatal' };
  const { code, stdout, stderr } = await runLatchkey(args, { ...base, ...env });
  return { code, text: code === 0 ? stdout : stderr };
}

describe('latchkey users', { timeout: 60_000 }, () => {
  it('removes a second factor, and prints the code with which an admin enrols', async () => {
    const { id } = await twoFactorUser(api);
    expect((await latchkey(['users', 'enrolment-code', id])).text).toContain('has a second factor');
    expect((await latchkey(['users', 'remove-totp', id])).text).toContain('factor is removed');
    expect((await latchkey(['users', 'remove-totp', id])).text).toContain('had no second factor');
    expect((await api.eventsOf(id)).at(-2)).toMatchObject({
      type: 'TotpRemoved',
      data: { by: 'admin' },
      meta: { actor: 'cli' },
    });
    const user = (await findUserByEmail(api.node, email))!;
    const { text } = await latchkey(['users', 'enrolment-code', email]);
    expect(text.trim()).toBe(enrolmentCode(api.node, user));
  });
});

// Each starts processes: on a busy machine that takes seconds.
describe('latchkey users unlock', { timeout: 60_000 }, () => {
  it('B8: lets the only administrator in again, by address, and says what it did', async () => {
    await lockTheOnlyAdministrator();
    const { code, text } = await latchkey(['users', 'unlock', ' First.Admin@EXAMPLE.com']);
    expect(code, text).toBe(0);
    expect(text).toMatch(
      /^[0-9a-f-]{36}: unlocked; it was locked until \S+; forgot 10 wrong passwords/,
    );
    expect((await attempt()).status).toBe(200);
    expect((await latchkey(['users', 'unlock', email])).text).toContain('was not locked');
  });

  it('B8: takes a user id as well, and records itself as the actor', async () => {
    await lockTheOnlyAdministrator();
    const { rows } = await api.node.cells.home.readers.query({
      text: `select user_id from latchkey.users where 'latchkey:admin' = any (roles)`,
    });
    const id = rows[0]!.user_id as string;
    expect((await latchkey(['users', 'unlock', id], {})).text).toContain('KEK must be set');
    expect((await latchkey(['users', 'unlock', id])).code).toBe(0);
    expect((await attempt()).status).toBe(200);
    expect((await api.eventsOf(id)).at(-1)).toMatchObject({
      type: 'UserUnlocked',
      meta: { actor: 'cli', actor_type: 'system' },
    });
  });

  it('B8: refuses an address that nobody has, and a KEK that is not the one', async () => {
    const unknown = await latchkey(['users', 'unlock', 'nobody@example.com']);
    expect([unknown.code, unknown.text]).toEqual([
      1,
      expect.stringContaining('no user has this address (not_found).'),
    ]);
    const other = { KEK: `test:${randomBytes(32).toString('base64url')}` };
    expect((await latchkey(['users', 'unlock', email], other)).code).toBe(1);
  });
});
