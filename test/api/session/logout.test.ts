import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
let other: TestApi;
let now = Date.now();
beforeAll(async () => {
  api = await startTestApi({ REVOCATION_POLL_MS: '500' });
  other = await api.anotherNode();
  Object.assign(api.node, { now: () => now });
});
beforeEach(() => {
  now = Date.now();
});
afterAll(() => api.stop());

async function newSession(device = 'web') {
  const { email } = await api.register();
  const issued = await api.logIn({ email, device });
  return { email, access: issued.access_token, token: issued.refresh_token, id: issued.session.id };
}
const logOut = (options: Parameters<TestApi['call']>[2], node = api) =>
  node.call('POST', '/auth/logout', options);
const isLive = async (token: string) => (await api.refresh(token)).status === 200;

describe('a logout', () => {
  // Fails when a bearer that says nothing stands in the way of the token that does.
  it('by its refresh token beside a bearer that is not recognised ends the session', async () => {
    const session = await newSession();
    const body = { refresh_token: session.token };
    expect((await logOut({ token: 'not.a.token', body })).status).toBe(204);
    expect(await isLive(session.token)).toBe(false);
    expect((await logOut({ token: 'not.a.token' })).status).toBe(401);
  });

  it.each([
    ['its access token', ({ access }: { access: string }) => ({ token: access })],
    ['its refresh token', ({ token }: { token: string }) => ({ body: { refresh_token: token } })],
    [
      'both',
      ({ access, token }: { access: string; token: string }) => ({
        token: access,
        body: { refresh_token: token },
      }),
    ],
  ])('by %s ends the session; this node refuses it at once; again it is 204', async (_, by) => {
    const session = await newSession();
    expect((await logOut(by(session))).status).toBe(204);
    expect(await api.verify(session.access)).toBe(401);
    expect((await logOut(by(session))).status).toBe(204);
    expect((await api.eventsOf(session.id)).map(({ type }) => type)).toEqual([
      'SessionStarted',
      'SessionRevoked',
    ]);
    expect(await isLive(session.token)).toBe(false);
  });

  // Fails when a logout that finds the session ended answers before this node has heard of the end.
  it('that is repeated at another node makes that node refuse the token at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { access, token } = await newSession();
      await logOut({ body: { refresh_token: token } });
      await logOut({ body: { refresh_token: token } }, other);
      expect(await other.verify(access)).toBe(401);
    }
  });

  // Fails when logout demands a token that is good now instead of one that is ours.
  it('works with an access token that has expired', async () => {
    const { email } = await api.register();
    now -= 3_600_000;
    const issued = await api.logIn({ email });
    now = Date.now();
    expect(await api.verify(issued.access_token)).toBe(401);
    expect((await logOut({ token: issued.access_token })).status).toBe(204);
    expect(await isLive(issued.refresh_token)).toBe(false);
  });

  it.each([
    ['nothing', {}],
    ['an empty object', { body: {} }],
    ['a refresh token that is not ours', { body: { refresh_token: 'lkr_x' } }],
    ['one with NUL', { body: { refresh_token: 'lkr_x\0' } }],
    ['one with half a surrogate pair', { body: { refresh_token: 'lkr_\ud800' } }],
    ['an access token that is not ours', { token: 'a.b.c' }],
  ])('with %s is a 401', async (_, options) => {
    expect(await logOut(options)).toMatchObject({ status: 401, body: { code: 'invalid_token' } });
  });

  // Fails when one of two contradicting credentials is picked.
  it('with a bearer and a body of different sessions is a 400 and ends neither', async () => {
    const [one, two] = [await newSession(), await newSession()];
    const answer = await logOut({ token: one.access, body: { refresh_token: two.token } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect([await isLive(one.token), await isLive(two.token)]).toEqual([true, true]);
  });
});

describe('logout-all', () => {
  const all = (token: string, body: object) =>
    api.call('POST', '/auth/logout-all', { token, body });
  async function threeDevices() {
    const { email } = await api.register();
    const [web, mobile, desktop] = [
      await api.logIn({ email, device: 'web' }),
      await api.logIn({ email, device: 'mobile' }),
      await api.logIn({ email, device: 'desktop' }),
    ];
    return { web, mobile, desktop };
  }

  it('ends everything, and says `token_stale` of the access tokens or that the session ended', async () => {
    const { web, mobile, desktop } = await threeDevices();
    expect((await all(web.access_token, {})).body).toEqual({ ended: 3 });
    for (const { access_token, refresh_token } of [web, mobile, desktop]) {
      expect(await api.verify(access_token)).toBe(401);
      expect(await isLive(refresh_token)).toBe(false);
    }
  });

  it('without a body means all', async () => {
    const { web } = await threeDevices();
    const answer = await api.call('POST', '/auth/logout-all', { token: web.access_token });
    expect(answer.body).toEqual({ ended: 3 });
  });

  // Fails when a filter raises the user's epoch: the sessions that stay would lose their access tokens.
  it.each([
    [{ except_current: true }, 2, ['web']],
    [{ device_type: 'mobile' }, 1, ['web', 'desktop']],
    [{ device_type: 'web', except_current: true }, 0, ['web', 'mobile', 'desktop']],
    [{ device_type: 'iot' }, 0, ['web', 'mobile', 'desktop']],
    [{ except_current: false }, 3, []],
  ])('with %j ends %i and leaves %j untouched', async (body, ended, left) => {
    const sessions = await threeDevices();
    expect((await all(sessions.web.access_token, body)).body).toEqual({ ended });
    for (const [device, { access_token, refresh_token }] of Object.entries(sessions)) {
      const lives = left.includes(device);
      expect(await api.verify(access_token), device).toBe(lives ? 204 : 401);
      expect(await isLive(refresh_token), device).toBe(lives);
    }
  });
});

describe('ending one session of the list', () => {
  const end = (token: string, id: string) => api.call('DELETE', `/auth/sessions/${id}`, { token });

  it('ends that one; again it is 204', async () => {
    const { email } = await api.register();
    const web = await api.logIn({ email });
    const mobile = await api.logIn({ email, device: 'mobile' });
    expect((await end(web.access_token, mobile.session.id)).status).toBe(204);
    expect(await api.verify(mobile.access_token)).toBe(401);
    expect((await end(web.access_token, mobile.session.id)).status).toBe(204);
    expect(await api.verify(web.access_token)).toBe(204);
  });

  // Fails when the owner is not compared.
  it('of somebody else, unknown or misspelt, is 404 and changes nothing', async () => {
    const [mine, theirs] = [await newSession(), await newSession()];
    const unknown = '01900000-0000-7000-8000-000000000000';
    for (const id of [theirs.id, unknown, theirs.id.toUpperCase(), 'x', "1'--", '%2e%2e']) {
      expect((await end(mine.access, id)).status, id).toBe(404);
    }
    expect(await isLive(theirs.token)).toBe(true);
  });
});
