import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aFile } from '../support/a-file.ts';
import { startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { runLatchkey } from '../support/run-latchkey.ts';

const kek = `test:${randomBytes(32).toString('base64url')}`;
const file = aFile('erasures.log');
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ KEK: kek });
  await api.admin();
});
afterAll(() => api.stop());

async function latchkey(...args: string[]) {
  const base = { DATABASE_URL: api.database.appUrl, APP_ENV: 'dev', LOG_LEVEL: 'fatal', KEK: kek };
  const { code, stdout, stderr } = await runLatchkey(['users', 'erase', ...args], {
    ...base,
    ERASURE_LOG: file,
  });
  return { code, text: code === 0 ? stdout : stderr };
}

// Each starts processes: on a busy machine that takes seconds.
describe('latchkey users erase', { timeout: 60_000 }, () => {
  it('erases by address, says so, and records who ran it and where', async () => {
    const { email, id } = await api.register();
    const { access_token } = await api.logIn({ email });
    const { code, text } = await latchkey(` ${email.toUpperCase()}`, '--yes');
    expect([code, text]).toEqual([0, `${id} is erased, and named in ${file}\n`]);
    expect((await api.eventsOf(id)).at(-1)).toMatchObject({
      type: 'SubjectErased',
      meta: {
        actor: 'cli',
        actor_type: 'system',
        os_user: userInfo().username,
        host: hostname(),
      },
    });
    expect(readFileSync(file, 'utf8')).toContain(id);
    await expect.poll(() => api.verify(access_token)).toBe(401);
    const body = { email, password: testPassword };
    expect((await api.call('POST', '/auth/login', { body })).status).toBe(401);
  });

  it('erases by id, and a second time without an error', async () => {
    const { id } = await api.register();
    for (let run = 0; run < 2; run += 1) {
      expect((await latchkey(id, '--yes')).code).toBe(0);
    }
    expect(await api.eventsOf(id)).toHaveLength(2);
    expect(readFileSync(file, 'utf8').split(id)).toHaveLength(2);
  });

  it('erases nobody without a terminal that confirms', async () => {
    const { id } = await api.register();
    const { code, text } = await latchkey(id);
    expect([code, text]).toEqual([
      1,
      'Nobody can be asked without a terminal: add --yes to erase this user.\n',
    ]);
    expect(await api.eventsOf(id)).toHaveLength(1);
  });

  it('refuses nobody and the last administrator', async () => {
    expect((await latchkey('nobody@example.com', '--yes')).text).toContain('not_found');
    expect((await latchkey('0199f5a0-0000-7000-8000-00000000ffff', '--yes')).text).toContain(
      'no user has this id',
    );
    const last = await latchkey('first.admin@example.com', '--yes');
    expect([last.code, last.text]).toEqual([1, expect.stringContaining('conflict')]);
  });
});
