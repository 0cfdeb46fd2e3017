import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ MAX_SESSIONS_PER_USER: '6', DEVICE_POLICY_IOT: 'limit:2' });
});
afterAll(() => api.stop());

interface Listed {
  id: string;
  device: { type: string; name: string };
  current: boolean;
}
const sessionsOf = async (token: string): Promise<Listed[]> =>
  (await api.call('GET', '/auth/sessions', { token })).body.sessions;
const safariOnIphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1';

/** The `exp` of an access token, in seconds. */
function expiryOf(token: string): number {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).exp;
}

describe('a login under the policy of its device type', () => {
  // Fails when the policy counts sessions of all types, or of none.
  it.each(['web', 'mobile', 'tablet', 'desktop'])(
    'single: a second %s session ends the first and no other',
    async (device) => {
      const { email } = await api.register();
      const first = await api.logIn({ email, device });
      const beside = await api.logIn({ email, device: device === 'web' ? 'mobile' : 'web' });
      const second = await api.logIn({ email, device });

      expect(await api.verify(first.access_token)).toBe(401);
      expect(await api.verify(beside.access_token)).toBe(204);
      const listed = await sessionsOf(second.access_token);
      expect(listed.map(({ id }) => id)).toEqual([second.session.id, beside.session.id]);
      expect(listed.map(({ current }) => current)).toEqual([true, false]);
    },
  );

  it('limit: the oldest goes', async () => {
    const { email } = await api.register();
    const [oldest, middle] = [
      await api.logIn({ email, device: 'iot' }),
      await api.logIn({ email, device: 'iot' }),
    ];
    const newest = await api.logIn({ email, device: 'iot' });
    expect(await api.verify(oldest.access_token)).toBe(401);
    expect(await api.verify(middle.access_token)).toBe(204);
    expect(await api.verify(newest.access_token)).toBe(204);
  });

  it('unlimited: services live side by side without refresh tokens, up to the cap of all types', async () => {
    const { email } = await api.register();
    const tokens: string[] = [];
    for (let count = 0; count < 7; count += 1) {
      const issued = await api.logIn({ email, device: 'service' });
      expect(issued).not.toHaveProperty('refresh_token');
      expect(issued).not.toHaveProperty('refresh_expires_in');
      const { created_at: from, expires_at: to } = issued.session;
      expect(Date.parse(to) - Date.parse(from)).toBe(3_600_000);
      expect(expiryOf(issued.access_token)).toBe(Math.floor(Date.parse(to) / 1000));
      tokens.push(issued.access_token);
    }
    const statuses = await Promise.all(tokens.map((token) => api.verify(token)));
    expect(statuses).toEqual([401, 204, 204, 204, 204, 204, 204]);
  });
});

describe('the superseded client', () => {
  // Fails when the facts of `session_superseded` are dropped, or given to older tokens too.
  it('is told when and by which device; a thief with an older token and a good client are not', async () => {
    const { email } = await api.register();
    const first = await api.logIn({ email });
    const { body: second } = await api.refresh(first.refresh_token);
    const { body: third } = await api.refresh(second.refresh_token);
    const before = Date.now();
    await api.logIn({ email, headers: { 'user-agent': safariOnIphone } });
    const after = Date.now();

    const evicted = await api.refresh(third.refresh_token);
    expect(evicted).toMatchObject({
      status: 401,
      body: { code: 'session_superseded', device_name: 'Safari on iOS' },
    });
    const endedAt = Date.parse(evicted.body.ended_at);
    expect([before <= endedAt, endedAt <= after]).toEqual([true, true]);
    const grandparent = await api.refresh(first.refresh_token);
    expect(grandparent).toMatchObject({ status: 401, body: { code: 'session_ended' } });
    expect(grandparent.body).not.toHaveProperty('device_name');
    const access = await api.call('GET', '/auth/sessions', { token: third.access_token });
    expect(access).toMatchObject({ status: 401, body: { code: 'invalid_token' } });
    expect(access.body).not.toHaveProperty('device_name');
  });

  it('of a logout hears `session_ended`, without a device', async () => {
    const { email } = await api.register();
    const { refresh_token } = await api.logIn({ email });
    await api.call('POST', '/auth/logout', { body: { refresh_token } });
    const { status, body } = await api.refresh(refresh_token);
    expect([status, body.code]).toEqual([401, 'session_ended']);
    expect(body.ended_at).toEqual(expect.any(String));
    expect(body).not.toHaveProperty('device_name');
  });
});

describe('the device of a session', () => {
  it('is web and named from the User-Agent, unless the login says otherwise', async () => {
    const { email } = await api.register();
    const headers = { 'user-agent': safariOnIphone };
    const unnamed = await api.logIn({ email, headers });
    expect(unnamed.session).toMatchObject({
      device: { type: 'web', name: 'Safari on iOS' },
      user_agent: safariOnIphone,
      ip: '127.0.0.1',
      amr: ['pwd'],
      current: true,
    });
    const named = await api.call('POST', '/auth/login', {
      body: { email, password: testPassword, device: { type: 'tablet', name: 'Küche 🍳' } },
      headers,
    });
    expect(named.body.session.device).toEqual({ type: 'tablet', name: 'Küche 🍳' });
  });
});
