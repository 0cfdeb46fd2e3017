import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { append } from '../../../src/app/append.ts';
import { byProgram } from '../../../src/app/by.ts';
import { changeUser } from '../../../src/app/user/change-user.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { provenCall, TestDevice } from '../../support/dpop.ts';
import {
  askForItself,
  basicOf,
  type Client,
  claimsOf,
  registerClient,
  sendForm,
} from './token-world.ts';

const issuer = 'http://latchkey.test';
const orders = 'https://orders.example';
const stock = 'https://stock.example';

let api: TestApi;
let service: Client;
let owned: Client;
beforeAll(async () => {
  api = await startTestApi({ DEFAULT_AUDIENCE: orders });
  service = await registerClient(api, {
    audiences: [orders, stock],
    scopes: ['orders.read', 'orders.write'],
  });
  owned = await registerClient(api, {
    audiences: [issuer, orders],
    scopes: ['profile'],
    first_party: true,
  });
});
afterAll(() => api.stop());

const tokenOf = async (client: Client, form: Record<string, string> = {}): Promise<string> => {
  const { status, body } = await askForItself(api, client, form);
  expect(status, JSON.stringify(body)).toBe(200);
  return body.access_token;
};

describe('a token that a client gets for itself', () => {
  it('is an RFC 9068 token of the client: no roles, no refresh token, no user', async () => {
    const { status, body, headers } = await askForItself(api, service);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'orders.read orders.write',
    });
    const claims = claimsOf(body.access_token);
    expect(claims).toMatchObject({
      iss: issuer,
      sub: service.client_id,
      client_id: service.client_id,
      aud: [orders],
      scope: 'orders.read orders.write',
      amr: [],
      device_type: 'service',
    });
    expect(claims).not.toHaveProperty('roles');
    expect(claims).not.toHaveProperty('acr');
    expect(claims.exp - claims.iat).toBe(3600);
  });

  it('is for the audiences and the scopes that it asked for', async () => {
    const token = await tokenOf(service, { scope: 'orders.read', audience: stock });
    expect(claimsOf(token)).toMatchObject({ aud: [stock], scope: 'orders.read' });
    const several = `grant_type=client_credentials&resource=${stock}&resource=${orders}`;
    const answer = await sendForm(api, service, several);
    const { access_token } = (await answer.json()) as { access_token: string };
    expect(claimsOf(access_token).aud).toEqual([stock, orders]);
  });

  it('is a session of its own: one event by the client, with nothing of a person', async () => {
    const { sid, jti } = claimsOf(await tokenOf(service));
    expect(jti).toBe(`${sid}.1`);
    const events = await api.eventsOf(sid);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      type: 'SessionStarted',
      data: { userId: service.client_id, clientId: service.client_id, secretHash: null },
      meta: { actor_type: 'client', actor: service.client_id },
    });
    expect(events[0]!.pii).toBeNull();
  });

  it('is good for a service that it is for, and introspected there', async () => {
    const token = await tokenOf(service);
    const verified = await api.call('GET', '/auth/verify?scope=orders.read', { token });
    expect(verified.status).toBe(204);
    expect(verified.headers.get('x-auth-subject')).toBe(service.client_id);
    expect(verified.headers.get('x-auth-roles')).toBe('-');
    const demand = async (query: string) =>
      (await api.call('GET', `/auth/verify?${query}`, { token })).status;
    expect(await demand('role=latchkey%3Aadmin')).toBe(403);
    expect(await demand('scope=admin')).toBe(403);
    expect(await demand(`aud=${stock}`)).toBe(401);
    const asked = await api.call('POST', '/oauth2/introspect', {
      basic: basicOf(service),
      form: { token },
    });
    expect(asked.body).toMatchObject({ active: true, sub: service.client_id });
  });

  // Fails when a client that is ours counts as a user, whose id its own is not.
  it('is refused by all that acts for a user or administers, if it is ours too', async () => {
    const token = await tokenOf(owned);
    expect(claimsOf(token).aud).toEqual([issuer]);
    expect(await api.verify(token)).toBe(204);
    const calls: [string, string, object?][] = [
      ['GET', '/auth/me'],
      ['PATCH', '/auth/me', { name: 'Ada' }],
      ['GET', '/auth/sessions'],
      ['POST', '/auth/logout-all', {}],
      ['POST', '/auth/password', { current_password: 'x', new_password: 'y' }],
      ['GET', `/users/${owned.client_id}/jwks.json`],
      ['GET', '/admin/users'],
      ['POST', '/admin/clients', { name: 'x' }],
    ];
    for (const [method, path, body] of calls) {
      const answer = await api.call(method, path, { token, ...(body && { body }) });
      expect(answer, path).toMatchObject({ status: 403, body: { code: 'insufficient_scope' } });
    }
    expect((await api.call('POST', '/auth/logout', { token })).status).toBe(401);
    expect(await api.verify(token)).toBe(204);
  });

  // Fails when a token that no user stands behind passes for one of a user who has just logged in.
  it('meets no demand on how or when a user has authenticated', async () => {
    const token = await tokenOf(owned);
    for (const query of ['acr=1fa', 'max_age=3600']) {
      const { status, body } = await api.call('GET', `/auth/verify?${query}`, { token });
      expect([status, body.code], query).toEqual([401, 'insufficient_user_authentication']);
    }
  });

  it('has a subject that can be no user: an id names one stream, of one kind', async () => {
    const taken = changeUser(service.client_id, null, {
      type: 'RegisterUser',
      now: Date.now(),
      pii: new Uint8Array(),
      emailVerified: false,
      hasPassword: false,
      roles: [],
    });
    const by = byProgram('system', 'start-up');
    const registered = api.node.cells.home.handler.run(service.client_id, async () =>
      append(by, [taken], () => 'registered'),
    );
    await expect(registered).rejects.toThrow('unavailable');
    const { access_token: token } = await api.admin();
    const path = `/admin/users/${service.client_id}/sessions`;
    expect((await api.call('GET', path, { token })).status).toBe(404);
  });
});

describe('the end of such a token', () => {
  it('is the revocation by its client, and by no other', async () => {
    const token = await tokenOf(service);
    const another = await tokenOf(service);
    const revoke = (by: Client) =>
      api.call('POST', '/oauth2/revoke', { basic: basicOf(by), form: { token } });
    expect((await revoke(owned)).status).toBe(200);
    expect(await api.verify(token)).toBe(204);
    expect((await revoke(service)).status).toBe(200);
    expect(await api.verify(token)).toBe(401);
    expect(await api.verify(another)).toBe(204);
    const asked = { basic: basicOf(service), form: { token } };
    expect((await api.call('POST', '/oauth2/introspect', asked)).body).toEqual({ active: false });
  });

  it('is that of its session, which an administrator may end', async () => {
    const token = await tokenOf(service);
    const { access_token: admin } = await api.admin();
    const path = `/admin/sessions/${claimsOf(token).sid}`;
    expect((await api.call('DELETE', path, { token: admin })).status).toBe(204);
    expect(await api.verify(token)).toBe(401);
  });

  it('comes on every node when its client is disabled', async () => {
    const doomed = await registerClient(api, { audiences: [orders] });
    const token = await tokenOf(doomed);
    const other = await api.anotherNode();
    expect(await other.verify(token)).toBe(204);
    const { access_token: admin } = await api.admin();
    await api.call('DELETE', `/admin/clients/${doomed.client_id}`, { token: admin });
    expect(await api.verify(token)).toBe(401);
    await expect.poll(() => other.verify(token)).toBe(401);
    const refused = await askForItself(api, doomed);
    expect(refused).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
  });
});

describe('a token of a client that proves a key', () => {
  const prove = (device: TestDevice) =>
    provenCall(api, device, ['POST', '/oauth2/token'], {
      basic: basicOf(service),
      form: { grant_type: 'client_credentials' },
    });

  it('is bound to it (RFC 9449)', async () => {
    const device = new TestDevice();
    const { status, body } = await prove(device);
    expect([status, body.token_type]).toEqual([200, 'DPoP']);
    const { access_token: token } = body;
    expect(claimsOf(token).cnf).toEqual({ jkt: device.jkt });
    expect(await api.verify(token)).toBe(401);
    const used = await provenCall(api, device, ['GET', '/api/protected'], { boundToken: token });
    expect(used).toMatchObject({ status: 200, body: { user_id: service.client_id } });
    const thief = new TestDevice();
    const stolen = await provenCall(api, thief, ['GET', '/api/protected'], { boundToken: token });
    expect(stolen).toMatchObject({ status: 401, body: { code: 'invalid_dpop_proof' } });
  });

  it('is asked for its nonce, and a proof is good once on all nodes', async () => {
    const device = new TestDevice();
    const bare = await api.call('POST', '/oauth2/token', {
      basic: basicOf(service),
      form: { grant_type: 'client_credentials' },
      headers: { dpop: device.proof('POST', `${issuer}/oauth2/token`) },
    });
    expect(bare).toMatchObject({ status: 400, body: { error: 'use_dpop_nonce' } });
    device.nonce = bare.headers.get('dpop-nonce')!;
    const proof = device.proof('POST', `${issuer}/oauth2/token`);
    const other = await api.anotherNode();
    const answers = await Promise.all(
      [api, other, api, other].map((node) =>
        node.call('POST', '/oauth2/token', {
          basic: basicOf(service),
          form: { grant_type: 'client_credentials' },
          headers: { dpop: proof },
        }),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400, 400, 400]);
    const refused = answers.filter(({ status }) => status === 400).map(({ body }) => body.error);
    expect(new Set(refused)).toEqual(new Set(['invalid_dpop_proof']));
  });
});
