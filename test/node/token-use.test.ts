import type { DeviceType } from '@latchkey/contract/device-type';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signAccessToken } from '../../src/app/session/sign-access-token.ts';
import { refusalOfUse, type TokenUse } from '../../src/node/token-use.ts';
import { startTestApi, type TestApi } from '../support/api.ts';

const issuer = 'http://latchkey.test';
const shop = 'https://shop.example';
const reports = 'https://reports.example';

describe('refusalOfUse', () => {
  const ours = '0198c0de-0000-7000-8000-00000000000c';
  const stranger = '0198c0de-0000-7000-8000-00000000000d';
  const realm = { issuer, defaultAudience: shop, isFirstParty: (id: string) => id === ours };
  const account: TokenUse = { kind: 'account' };
  const profile: TokenUse = { kind: 'profile' };
  const administration: TokenUse = { kind: 'administration' };
  const anyService: TokenUse = { kind: 'service', audience: null };
  const ofReports: TokenUse = { kind: 'service', audience: reports };
  const introspection = (...audiences: string[]): TokenUse => ({
    kind: 'introspection',
    audiences,
  });

  // Each line fails when its condition is left out of `refusalOfUse`.
  it.each<[string, string[], string, string, TokenUse, string | null]>([
    ['the user', [issuer], 'latchkey', '', account, null],
    ['the user', [issuer, shop], ours, '', account, null],
    ['the user', [shop], 'latchkey', '', account, 'audience'],
    ['the user', [], 'latchkey', '', account, 'audience'],
    ['the user', [issuer], stranger, 'profile', account, 'third_party'],
    ['the profile', [issuer], ours, '', profile, null],
    ['the profile', [issuer], stranger, 'openid profile', profile, null],
    ['the profile', [issuer], stranger, 'profiles', profile, 'third_party'],
    ['the profile', [reports], stranger, 'profile', profile, 'audience'],
    ['administration', [issuer], 'latchkey', '', administration, null],
    ['administration', [issuer], ours, '', administration, null],
    ['administration', [issuer, shop], ours, '', administration, 'other_audiences'],
    ['administration', [reports], ours, '', administration, 'audience'],
    ['administration', [issuer], stranger, 'profile', administration, 'third_party'],
    ['any service', [issuer], stranger, '', anyService, null],
    ['any service', [shop], stranger, '', anyService, null],
    ['any service', [reports], 'latchkey', '', anyService, 'audience'],
    ['one service', [shop, reports], stranger, '', ofReports, null],
    ['one service', [issuer, shop], 'latchkey', '', ofReports, 'audience'],
    ['introspection', [reports], stranger, '', introspection(shop, reports), null],
    ['introspection', [issuer], stranger, '', introspection(shop), 'audience'],
    ['introspection', [issuer], stranger, '', { kind: 'introspection', audiences: null }, null],
  ])('A1: for %s, aud %j, client %s, scope "%s"', (_, aud, client_id, scope, use, expected) => {
    const claims = { aud, sub: 'a user', client_id, scope };
    expect(refusalOfUse(claims, use, realm)).toBe(expected);
  });

  // Fails when a client that is ours may act as if it were a user.
  describe('of a token that a client has for itself', () => {
    const ofItself = (aud: string[]) => ({ aud, sub: ours, client_id: ours, scope: 'profile' });

    it.each([account, profile, administration])('is refused for %j', (use) => {
      expect(refusalOfUse(ofItself([issuer]), use, realm)).toBe('no_user');
      expect(refusalOfUse(ofItself([reports]), use, realm)).toBe('audience');
    });

    it('enters the services that it is for, and is introspected there', () => {
      expect(refusalOfUse(ofItself([shop]), anyService, realm)).toBe(null);
      expect(refusalOfUse(ofItself([reports]), ofReports, realm)).toBe(null);
      expect(refusalOfUse(ofItself([reports]), introspection(reports), realm)).toBe(null);
      expect(refusalOfUse(ofItself([shop]), ofReports, realm)).toBe('audience');
    });
  });
});

describe('a token of an administrator', () => {
  let api: TestApi;
  let admin: string;
  let app: { client_id: string };
  let stranger: { client_id: string };
  beforeAll(async () => {
    api = await startTestApi({ DEFAULT_AUDIENCE: shop });
    admin = (await api.admin()).access_token;
    const make = async (body: object) =>
      (await api.call('POST', '/admin/clients', { token: admin, body })).body;
    const kind = 'public';
    app = await make({ name: 'app', kind, audiences: [reports, issuer], first_party: true });
    stranger = await make({ name: 'reports', kind, audiences: [reports, issuer] });
  });
  afterAll(() => api.stop());

  const email = 'first.admin@example.com';
  const logIn = async (audience: string | string[], client: object = app): Promise<string> =>
    (await api.logIn({ email, device: 'service', fields: { ...client, audience } })).access_token;

  /** What `/oauth2/authorize` will give to a third party: nothing gives it yet. */
  async function thirdPartyToken(audience: string[], scope: string): Promise<string> {
    const login = await api.logIn({ email, device: 'service' });
    const now = Date.now();
    return signAccessToken({
      key: api.node.memory.signingKey.get(),
      issuer,
      userId: login.user.id,
      userEpoch: 0,
      sessionId: login.session.id,
      generation: 1,
      audience,
      client: { id: stranger.client_id, epoch: 0 },
      amr: ['pwd'],
      roles: login.user.roles,
      scope,
      deviceType: login.session.device.type as DeviceType,
      authenticatedAt: now,
      issuedAt: now,
      expiresAt: now + 60_000,
    });
  }

  const ownCalls: [string, string, unknown?][] = [
    ['GET', '/auth/me'],
    ['PATCH', '/auth/me', { name: 'Mallory' }],
    ['GET', '/auth/sessions'],
    ['DELETE', '/auth/sessions/01900000-0000-7000-8000-000000000000'],
    ['POST', '/auth/password', { current_password: 'x', new_password: 'y' }],
    ['POST', '/auth/logout-all'],
    ['POST', '/auth/logout'],
  ];
  const adminCalls: [string, string, unknown?][] = [
    ['GET', '/admin/users'],
    ['POST', '/admin/users', { email: 'mallory@example.com', roles: ['latchkey:admin'] }],
    ['POST', '/admin/invites'],
    ['GET', '/admin/clients'],
    ['GET', '/admin/keys'],
    ['POST', '/admin/keys/rotate'],
  ];
  const statuses = async (token: string, calls: [string, string, unknown?][]) => {
    const seen = new Set<number>();
    for (const [method, path, body] of calls) {
      seen.add((await api.call(method, path, { token, body })).status);
    }
    return [...seen];
  };

  // Fails when the issuer is added to every `aud`, or an endpoint does not ask `refusalOfUse`.
  it('A1: for another audience is worth nothing at the issuer, and good there', async () => {
    const token = await logIn(reports);
    expect(await statuses(token, [...ownCalls, ...adminCalls])).toEqual([401]);
    expect((await api.call('GET', '/api/protected', { token })).status).toBe(401);
    expect(await api.verify(token)).toBe(401);
    const verified = await api.call('GET', `/auth/verify?aud=${reports}`, { token });
    expect(verified.status).toBe(204);
    expect((await api.call('GET', '/admin/users', { token: admin })).status).toBe(200);
  });

  it('A1: for the issuer and another audience acts for the user, not below /admin', async () => {
    const token = await logIn([issuer, reports]);
    expect((await api.call('GET', '/auth/sessions', { token })).status).toBe(200);
    expect(await statuses(token, adminCalls)).toEqual([403]);
  });

  it('A1: of a first-party client for the issuer alone does both', async () => {
    const token = await logIn(issuer);
    expect((await api.call('GET', '/auth/me', { token })).status).toBe(200);
    expect((await api.call('GET', '/admin/users', { token })).status).toBe(200);
  });

  it('A1: of a third party reads the user with the scope profile, and does no more', async () => {
    const token = await thirdPartyToken([issuer], 'openid profile');
    expect(await api.verify(token)).toBe(204);
    const me = await api.call('GET', '/auth/me', { token });
    expect([me.status, me.body.user?.email]).toEqual([200, email]);
    expect(await statuses(token, [...ownCalls.slice(1, -1), ...adminCalls])).toEqual([403]);
    expect((await api.call('POST', '/auth/logout', { token })).status).toBe(401);
  });

  it.each([
    ['without the scope', [issuer], 'openid', 403],
    ['for itself only', [reports], 'profile', 401],
  ])('A1: of a third party %s does not even read the user', async (_, aud, scope, status) => {
    const token = await thirdPartyToken(aud, scope);
    expect((await api.call('GET', '/auth/me', { token })).status).toBe(status);
  });

  it('A1: without `aud`, a gateway takes the issuer and the default audience', async () => {
    const login = async (fields: object) =>
      (await api.logIn({ email, device: 'service', fields: { ...fields } })).access_token;
    expect(await api.verify(await login({}))).toBe(204);
    expect(await api.verify(await login({ audience: issuer }))).toBe(204);
    expect((await api.call('GET', '/api/protected', { token: await login({}) })).status).toBe(200);
  });

  it('A1: keeps its audience through a refresh', async () => {
    const fields = { ...app, audience: reports };
    const { refresh_token } = await api.logIn({ email, fields });
    const { body } = await api.refresh(refresh_token);
    expect(await statuses(body.access_token, [...ownCalls, ...adminCalls])).toEqual([401]);
  });
});
