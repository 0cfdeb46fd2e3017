import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byProgram } from '../../../src/app/by.ts';
import { unlockUser } from '../../../src/app/user/unlock-user.ts';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';

let api: TestApi;
let token: string;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0' });
  token = (await api.admin()).access_token;
});
afterAll(() => api.stop());

const attempt = (email: string, password = testPassword) =>
  api.call('POST', '/auth/login', { body: { email, password } });
async function locked() {
  const user = await api.register();
  for (let count = 0; count < 10; count += 1) await attempt(user.email, 'a wrong sentence');
  expect((await attempt(user.email)).status).toBe(401);
  return user;
}
const found = async (email: string) =>
  (await api.call('GET', `/admin/users?email=${encodeURIComponent(email)}`, { token })).body
    .users[0];
const change = (id: string, verb: string, headers = {}) =>
  api.call('POST', `/admin/users/${id}/${verb}`, { token, headers });

describe('an administrator', () => {
  it('B8: sees until when a user is locked, and the user does not', async () => {
    const before = Date.now();
    const { id, email } = await locked();
    const lockedAt = Date.parse((await found(email)).locked_until) - 60_000;
    expect([before <= lockedAt, lockedAt <= Date.now()]).toEqual([true, true]);
    const { users } = (await api.call('GET', '/admin/users', { token })).body;
    expect(users.find((user: { id: string }) => user.id === id)).toHaveProperty('locked_until');

    await change(id, 'unlock');
    expect(await found(email)).not.toHaveProperty('locked_until');
    const { user } = (await attempt(email)).body;
    expect(user).not.toHaveProperty('locked_until');
  });

  it('B8: unlocks a user, once, and the log says who did', async () => {
    const { id, email } = await locked();
    expect((await change(id, 'unlock')).status).toBe(204);
    expect((await change(id, 'unlock')).status).toBe(204);
    expect((await attempt(email)).status).toBe(200);
    const unlocked = (await api.eventsOf(id)).filter(({ type }) => type === 'UserUnlocked');
    expect(unlocked).toHaveLength(1);
    const { id: admin } = (await api.call('GET', '/auth/me', { token })).body.user;
    expect(unlocked[0]).toMatchObject({ meta: { actor: admin, actor_type: 'admin' } });
  });

  it('B8: repeats it under one Idempotency-Key without lifting a later lock', async () => {
    const { id, email } = await locked();
    const once = { 'Idempotency-Key': 'unlock-once' };
    expect((await change(id, 'unlock', once)).status).toBe(204);
    for (let count = 0; count < 10; count += 1) await attempt(email, 'a wrong sentence');
    expect((await change(id, 'unlock', once)).status).toBe(204);
    expect((await attempt(email)).status).toBe(401);
  });

  // Fails when a command line whose first try was lost says that nobody was locked.
  it('B8: answers a repeat what the first one was answered', async () => {
    const { id } = await locked();
    const tried = { userId: id, idempotencyKey: 'unlock-lost' };
    const first = await unlockUser(api.node, tried, byProgram('system', 'cli'));
    expect(first).toMatchObject({ changed: true, before: { failedChecks: 10 } });
    expect(await unlockUser(api.node, tried, byProgram('system', 'cli'))).toEqual(first);
  });

  // Fails when the lock outlives the enabling: who enables a user wants it to log in.
  it('B8: lifts a lock with disable and enable', async () => {
    const { id, email } = await locked();
    await change(id, 'disable');
    await change(id, 'enable');
    expect((await attempt(email)).status).toBe(200);
  });

  it('B8: is the only one who may', async () => {
    const { id, email } = await api.register();
    const { access_token } = await api.logIn({ email });
    const path = `/admin/users/${id}/unlock`;
    expect((await api.call('POST', path, { token: access_token })).status).toBe(403);
    expect((await change('00000000-0000-4000-8000-000000000000', 'unlock')).status).toBe(404);
  });
});
