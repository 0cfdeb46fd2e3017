import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { testPassword } from '../support/api.ts';
import { newPhone, type Phone } from './phone.ts';
import { startWorld, type World } from './world.ts';

let world: World;
let me: string;
beforeAll(async () => {
  world = await startWorld((issuer) => ({
    DEFAULT_AUDIENCE: issuer,
    // Only the Idempotency-Key is left to save a session whose answer was lost.
    REFRESH_GRACE_SECONDS: '0',
  }));
  me = `${world.network.url}/auth/me`;
});
afterAll(() => world?.stop());

const phones: Phone[] = [];
afterEach(async () => {
  for (const phone of phones.splice(0)) await phone.remove();
});

function aPhone(name: string): Phone {
  const phone = newPhone(world.network.url, name);
  phones.push(phone);
  return phone;
}

async function loggedIn(name: string) {
  const { id, email } = await world.api.register();
  const phone = aPhone(name);
  const { ok, body } = await phone.ask('logIn', email, testPassword);
  expect(ok).toBe(true);
  return { id, email, phone, session: body.session.id as string };
}

/** What became of the session after it was started. */
async function historyOf(session: string): Promise<string[]> {
  return (await world.api.eventsOf(session)).map(({ type }) => type).slice(1);
}

describe('the application on a phone', () => {
  it('logs in as a phone with a name, and keeps no access token', async () => {
    const { id, phone } = await loggedIn("Ada's phone");
    const { status, body } = await phone.ask('call', me);
    expect(status).toBe(200);
    expect(body.user.id).toBe(id);
    expect(body.session.device).toEqual({ type: 'mobile', name: "Ada's phone" });
    expect(Object.keys(phone.keychain()).sort()).toEqual(['deviceToken', 'refreshToken']);
  });

  it('is still logged in after a restart', async () => {
    const { id, phone, session } = await loggedIn('phone');
    await phone.kill();
    const { status, body } = await phone.ask('call', me);
    expect([status, body.user.id]).toEqual([200, id]);
    expect(await historyOf(session)).toEqual(['SessionRefreshed']);
  });

  // Fails when the retry draws another key: the session then ends for reuse.
  it('survives a lost answer to its refresh', async () => {
    const { phone, session } = await loggedIn('phone');
    const lost = world.network.loseAnswerTo('POST /auth/refresh');
    expect(await phone.ask('refresh')).toBe(true);
    await lost;
    expect(await historyOf(session)).toEqual(['SessionRefreshed']);
    expect(await phone.ask('call', me)).toMatchObject({ status: 200 });
  });

  // Fails when the key is kept after the call instead of before it.
  it('survives a lost answer when it is killed before the retry', async () => {
    const { phone, session } = await loggedIn('phone');
    const { refreshToken } = phone.keychain();
    await phone.askAndKill(world.network.loseAnswerTo('POST /auth/refresh'), 'refresh');
    expect(phone.keychain().refreshToken).toBe(refreshToken);
    expect(await phone.ask('call', me)).toMatchObject({ status: 200 });
    expect(await historyOf(session)).toEqual(['SessionRefreshed']);
    expect(await phone.ask('refresh')).toBe(true);
    expect(await historyOf(session)).toEqual(['SessionRefreshed', 'SessionRefreshed']);
    expect(phone.keychain()).not.toHaveProperty('attempt');
  });

  it('gets its new rights by itself when a role is revoked', async () => {
    const { id, email, phone } = await loggedIn('phone');
    const token = (await world.api.admin()).access_token as string;
    await world.api.call('PUT', `/admin/users/${id}/roles/editor`, { token });
    const { body: login } = await phone.ask('logIn', email, testPassword);
    await world.api.call('DELETE', `/admin/users/${id}/roles/editor`, { token });
    const { status, body } = await phone.ask('call', me);
    expect([status, body.user.roles]).toEqual([200, []]);
    expect(await historyOf(login.session.id)).toEqual(['SessionRefreshed']);
    expect(phone.ends).toEqual([]);
  });

  it('learns which phone has taken its place', async () => {
    const { email, phone } = await loggedIn('old phone');
    await aPhone('new phone').ask('logIn', email, testPassword);
    expect(await phone.ask('call', me)).toMatchObject({ status: 401 });
    expect(phone.ends).toEqual([
      expect.objectContaining({
        code: 'session_superseded',
        device_name: 'new phone',
        ended_at: expect.any(String),
      }),
    ]);
    expect(await phone.ask('refresh')).toBe(false);
    expect(Object.keys(phone.keychain())).toEqual(['deviceToken']);
  });

  it('learns that it was logged out, and logs in again with its device token', async () => {
    const { email, phone } = await loggedIn('phone');
    const { refreshToken: refresh_token } = phone.keychain();
    await world.api.call('POST', '/auth/logout', { body: { refresh_token } });
    expect(await phone.ask('call', me)).toMatchObject({ status: 401 });
    expect(phone.ends).toMatchObject([{ code: 'session_ended' }]);
    for (let wrong = 0; wrong < 10; wrong += 1) {
      await world.api.call('POST', '/auth/login', { body: { email, password: 'not this one' } });
    }
    expect(await aPhone('other').ask('logIn', email, testPassword)).toMatchObject({ ok: false });
    expect(await phone.ask('logIn', email, testPassword)).toMatchObject({ ok: true });
  });
});
