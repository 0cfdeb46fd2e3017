import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminRole } from '../../../src/domain/user/roles.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';

const hour = 3600;
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({
    DEVICE_POLICY_WEB: 'unlimited',
    MAX_SESSIONS_PER_USER: '10',
    LIFETIME_PROFILE: 'standard',
  });
});
afterAll(() => api.stop());

const logIn = async (device: string, email?: string) =>
  api.logIn({ email: email ?? (await api.register()).email, device });
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
const lifeOf = ({ access_token }: { access_token: string }) => {
  const { exp, iat } = claimsOf(access_token);
  return exp - iat;
};

/** The answers of a refresh, of a repeat of it, and of a refresh of its successor. */
async function refreshes(node: TestApi, refreshToken: string) {
  const first = await node.refresh(refreshToken);
  const repeated = await node.refresh(refreshToken);
  const next = await node.refresh(repeated.body.refresh_token);
  return [first, repeated, next].map(({ body }) => body);
}

/** What a node does when its clock is so far ahead: sessions get older than a test has time for. */
async function later<T>(node: TestApi, seconds: number, work: () => Promise<T>): Promise<T> {
  const services = node.node as { now: () => number };
  services.now = () => Date.now() + seconds * 1000;
  try {
    return await work();
  } finally {
    services.now = () => Date.now();
  }
}

describe('a setting that was changed holds, after a restart, for the tokens of a live session', () => {
  // Fails when a token is given the longest life that the session ever had.
  it.each([
    ['ACCESS_TOKEN_EXPIRY_MS', { ACCESS_TOKEN_EXPIRY_MS: '60000' }, 60],
    ['LIFETIME_PROFILE', { LIFETIME_PROFILE: 'banking' }, 300],
  ])('A8: %s, made shorter', async (_, changed, seconds) => {
    const node = await api.anotherNode(changed);
    const login = await logIn('iot');
    expect(lifeOf(login)).toBe(6 * hour);
    for (const body of await refreshes(node, login.refresh_token)) {
      expect(lifeOf(body)).toBeLessThanOrEqual(seconds);
      expect(lifeOf(body)).toBeGreaterThanOrEqual(seconds - 1);
      expect(body.expires_in).toBeLessThanOrEqual(seconds);
    }
  });

  it('A8: of a rotation before the restart, the repeat lives the shorter life too', async () => {
    const node = await api.anotherNode({ ACCESS_TOKEN_EXPIRY_MS: '60000' });
    const login = await logIn('iot');
    await api.refresh(login.refresh_token);
    const { body } = await node.refresh(login.refresh_token);
    expect(lifeOf(body)).toBeLessThanOrEqual(60);
  });

  it('A8: a life made longer holds from the next rotation, and a logout covers it', async () => {
    const node = await api.anotherNode({ ACCESS_TOKEN_EXPIRY_MS: String(10 * hour * 1000) });
    const login = await logIn('web');
    const [rotated] = await refreshes(node, login.refresh_token);
    expect(lifeOf(rotated)).toBe(10 * hour);
    const { rows } = await logOutAndReadRevocation(node, rotated);
    expect(Date.parse(rows[0]!.until as string)).toBeGreaterThan(Date.now() + 10 * hour * 1000);
  });

  async function logOutAndReadRevocation(
    node: TestApi,
    body: { access_token: string; session: { id: string } },
  ) {
    const { access_token, session } = body;
    await node.call('POST', '/auth/logout', { token: access_token });
    return api.node.cells.home.readers.query({
      text: 'select until::text from latchkey.revocations where target = $1',
      values: [session.id],
    });
  }

  it.each([
    ['REFRESH_TOKEN_EXPIRY_MS', { REFRESH_TOKEN_EXPIRY_MS: String(24 * hour * 1000) }],
    ['LIFETIME_PROFILE', { LIFETIME_PROFILE: 'banking' }],
  ])('A8: %s, the absolute life', async (_, changed) => {
    const node = await api.anotherNode(changed);
    const young = await logIn('iot');
    const ends = Date.parse(young.session.created_at) + 24 * hour * 1000;
    const { body } = await node.refresh(young.refresh_token);
    expect(Date.parse(body.session.expires_at)).toBe(ends);
    expect(body.refresh_expires_in).toBeLessThanOrEqual(24 * hour);
    const me = await node.call('GET', '/auth/me', { token: body.access_token });
    expect(Date.parse(me.body.session.expires_at)).toBe(ends);
    const nearEnd = await logIn('iot');
    const last = await later(node, 24 * hour - 30, () => node.refresh(nearEnd.refresh_token));
    expect(lifeOf(last.body)).toBeLessThanOrEqual(30);
    const old = await logIn('iot');
    const refreshed = await later(api, 20 * hour, () => api.refresh(old.refresh_token));
    await later(node, 24 * hour, async () => {
      const list = await node.call('GET', '/auth/sessions', { token: old.access_token });
      expect(list.body.sessions).toEqual([]);
      const refused = await node.refresh(refreshed.body.refresh_token);
      expect(refused.body.code).toBe('session_ended');
    });
    // It had a token for two hours more: the end that was brought forward ends that as well.
    expect(await node.verify(old.access_token)).toBe(401);
  });

  it('A8: SESSION_IDLE_SECONDS', async () => {
    const node = await api.anotherNode({
      SESSION_IDLE_SECONDS: String(12 * hour),
    });
    const { refresh_token } = await logIn('iot');
    const { body } = await later(node, 12 * hour, () => node.refresh(refresh_token));
    expect(body.code).toBe('session_ended');
  });

  it('A8: REFRESH_GRACE_SECONDS', async () => {
    const node = await api.anotherNode({ REFRESH_GRACE_SECONDS: '0' });
    const { refresh_token } = await logIn('web');
    await api.refresh(refresh_token);
    const { body } = await later(node, 1, () => node.refresh(refresh_token));
    expect(body.code).toBe('session_ended');
  });

  // Fails when the policy is looked at by a login only.
  it.each([
    ['DEVICE_POLICY_WEB', { DEVICE_POLICY_WEB: 'single' }, 1],
    ['DEVICE_POLICY_WEB to a limit', { DEVICE_POLICY_WEB: 'limit:2' }, 2],
    ['MAX_SESSIONS_PER_USER', { MAX_SESSIONS_PER_USER: '2' }, 2],
  ])('A8: %s', async (_, changed, kept) => {
    const node = await api.anotherNode(changed);
    const { email } = await api.register();
    const logins = [];
    for (let count = 0; count < 3; count += 1) logins.push(await logIn('web', email));
    const answers = [];
    for (const { refresh_token } of logins) answers.push(await node.refresh(refresh_token));
    const refused = Array(3 - kept).fill('session_superseded');
    expect(answers.map(({ body }) => body.code)).toEqual([
      ...refused,
      ...Array(kept).fill(undefined),
    ]);
    expect(answers[0]!.body.device_name).toBe(logins[2].session.device.name);
    const events = await api.eventsOf(logins[0].session.id);
    expect(events.at(-1)).toMatchObject({
      type: 'SessionRevoked',
      data: { reason: 'superseded', supersededBy: logins[2].session.id },
    });
    expect(await node.verify(logins[0].access_token)).toBe(401);
    const again = await node.refresh(logins[0].refresh_token);
    expect(again.body.code).toBe('session_superseded');
  });

  it('A8: another device type keeps its place', async () => {
    const node = await api.anotherNode({ DEVICE_POLICY_WEB: 'single' });
    const { email } = await api.register();
    const mobile = await logIn('mobile', email);
    await logIn('web', email);
    expect((await node.refresh(mobile.refresh_token)).status).toBe(200);
  });

  it('A8: a role', async () => {
    const { access_token: token } = await api.admin();
    const { email, id } = await api.register();
    await api.call('PUT', `/admin/users/${id}/roles/${adminRole}`, { token });
    const { refresh_token } = await logIn('web', email);
    await api.call('DELETE', `/admin/users/${id}/roles/${adminRole}`, { token });
    const node = await api.anotherNode();
    for (const { access_token } of await refreshes(node, refresh_token)) {
      expect(claimsOf(access_token)).not.toHaveProperty('roles');
    }
  });

  // The announced keys are of the new algorithm after the restart; the operator chooses the moment.
  it('A8: KEY_ALGORITHM, with one rotation', async () => {
    const node = await api.anotherNode({ KEY_ALGORITHM: 'Ed25519' });
    const login = await logIn('web');
    const admin = await api.admin();
    const rotate = await node.call('POST', '/admin/keys/rotate', {
      token: admin.access_token,
      body: { now: true },
    });
    expect(rotate.status).toBe(200);
    for (const { access_token } of await refreshes(node, login.refresh_token)) {
      const header = Buffer.from(access_token.split('.')[0], 'base64url').toString();
      expect(JSON.parse(header).alg).toBe('Ed25519');
      expect(await node.verify(access_token)).toBe(204);
    }
  });
});
