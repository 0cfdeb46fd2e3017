import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
let token: string;
beforeAll(async () => {
  api = await startTestApi({ DEFAULT_AUDIENCE: 'https://api.example' });
  token = (await api.admin()).access_token;
});
afterAll(() => api.stop());

const post = (path: string, body?: object, key?: string) =>
  api.call('POST', path, {
    token,
    ...(body === undefined ? {} : { body }),
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });

/** Whether the client can authenticate on a node: introspection answers it, whatever the token. */
async function authenticates(id: string, secret: string, node: TestApi = api): Promise<boolean> {
  const options = { basic: [id, secret] as const, form: { token: 'x' } };
  return (await node.call('POST', '/oauth2/introspect', options)).status === 200;
}

describe('POST /admin/clients', () => {
  it('registers a confidential client that can authenticate at once', async () => {
    const { status, body } = await post('/admin/clients', { name: 'shop' });
    expect(status).toBe(201);
    expect(await authenticates(body.client_id, body.client_secret)).toBe(true);
    const shown = await api.call('GET', `/admin/clients/${body.client_id}`, { token });
    expect(shown.body).toMatchObject({
      name: 'shop',
      kind: 'confidential',
      audiences: ['https://api.example'],
      scopes: [],
      first_party: false,
      disabled: false,
    });
    expect(JSON.stringify(shown.body)).not.toContain(body.client_secret);
    expect(Object.keys(shown.body).filter((name) => name.includes('secret'))).toEqual(['secrets']);
  });

  it('keeps only a hash of the secret', async () => {
    const { body } = await post('/admin/clients', { name: 'shop' });
    const log = JSON.stringify(await api.eventsOf(body.client_id));
    expect(log).toContain('secretHash');
    expect(log).not.toContain(body.client_secret);
  });

  it('registers a public client without a secret, which introspects nothing', async () => {
    const { body } = await post('/admin/clients', { name: 'app', kind: 'public' });
    expect(body).not.toHaveProperty('client_secret');
    expect(await authenticates(body.client_id, '')).toBe(false);
    const form = { token: 'x', client_id: body.client_id };
    const answer = await api.call('POST', '/oauth2/introspect', { form });
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client']);
  });

  it('answers a retry with the same client, one event, and no secret', async () => {
    const client = { name: 'once', scopes: ['introspect.all'] };
    const first = await post('/admin/clients', client, 'client-1');
    const again = await post('/admin/clients', client, 'client-1');
    expect(again.status).toBe(201);
    expect(again.body).toEqual({ client_id: first.body.client_id });
    expect(await api.eventsOf(first.body.client_id)).toHaveLength(1);
    expect(await authenticates(first.body.client_id, first.body.client_secret)).toBe(true);
    const other = await post('/admin/clients', { ...client, name: 'twice' }, 'client-1');
    expect([other.status, other.body.code]).toEqual([409, 'conflict']);
  });

  it.each([
    ['no name', {}],
    ['an unknown kind', { name: 'x', kind: 'secret' }],
    ['a scope with a space', { name: 'x', scopes: ['a b'] }],
    ['an unknown field', { name: 'x', secret: 'mine' }],
  ])('refuses %s', async (_, body) => {
    expect((await post('/admin/clients', body)).body.code).toBe('invalid_request');
  });
});

describe('POST /admin/clients/{id}/secret', () => {
  it('keeps the last two secrets good', async () => {
    const { body: first } = await post('/admin/clients', { name: 'rotating' });
    const rotate = () => post(`/admin/clients/${first.client_id}/secret`);
    const second = await rotate();
    expect(second.status).toBe(201);
    expect(await authenticates(first.client_id, first.client_secret)).toBe(true);
    const { body: third } = await rotate();
    const good = [first, second.body, third].map(({ client_secret }) =>
      authenticates(first.client_id, client_secret),
    );
    expect(await Promise.all(good)).toEqual([false, true, true]);
  });

  it('rotates once for retries under one Idempotency-Key, and shows the secret once', async () => {
    const { body: client } = await post('/admin/clients', { name: 'retrying' });
    const path = `/admin/clients/${client.client_id}/secret`;
    const { body: rotated } = await post(path, undefined, 'rotate-1');
    const again = await post(path, undefined, 'rotate-1');
    expect([again.status, again.body]).toEqual([201, { client_id: client.client_id }]);
    expect(await api.eventsOf(client.client_id)).toHaveLength(2);
    expect(await authenticates(client.client_id, rotated.client_secret)).toBe(true);
    expect(await authenticates(client.client_id, client.client_secret)).toBe(true);
  });

  it('is a conflict for a public client and 404 for none', async () => {
    const { body } = await post('/admin/clients', { name: 'app', kind: 'public' });
    expect((await post(`/admin/clients/${body.client_id}/secret`)).status).toBe(409);
    const none = '0199f5a0-0000-7000-8000-00000000ffff';
    expect((await post(`/admin/clients/${none}/secret`)).status).toBe(404);
  });
});

describe('DELETE /admin/clients/{id}/secret', () => {
  const end = (id: string, key?: string) =>
    api.call('DELETE', `/admin/clients/${id}/secret`, {
      token,
      ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
    });
  const secretsOf = async (id: string) =>
    (await api.call('GET', `/admin/clients/${id}`, { token })).body.secrets;

  it('ends the older secret at once, on every node, and the newest stays good', async () => {
    const { body: first } = await post('/admin/clients', { name: 'leaked' });
    const { client_id: id } = first;
    const other = await api.anotherNode();
    const { body: second } = await post(`/admin/clients/${id}/secret`);
    expect(await secretsOf(id)).toBe(2);
    expect((await end(id)).status).toBe(204);
    expect(await secretsOf(id)).toBe(1);
    expect(await authenticates(id, first.client_secret)).toBe(false);
    expect(await authenticates(id, second.client_secret)).toBe(true);
    await expect.poll(() => authenticates(id, first.client_secret, other)).toBe(false);
    expect((await end(id)).status).toBe(204);
    expect(await authenticates(id, second.client_secret)).toBe(true);
  });

  // Fails when a retry ends a secret that was not there at the first try.
  it('ends nothing more for a retry under its Idempotency-Key', async () => {
    const { body: first } = await post('/admin/clients', { name: 'retrying' });
    const { body: second } = await post(`/admin/clients/${first.client_id}/secret`);
    await end(first.client_id, 'end-1');
    const { body: third } = await post(`/admin/clients/${first.client_id}/secret`);
    expect((await end(first.client_id, 'end-1')).status).toBe(204);
    for (const { client_secret } of [second, third]) {
      expect(await authenticates(first.client_id, client_secret)).toBe(true);
    }
  });

  it('is a conflict for a public client and 404 for none', async () => {
    const { body } = await post('/admin/clients', { name: 'app', kind: 'public' });
    expect((await end(body.client_id)).status).toBe(409);
    expect((await end('0199f5a0-0000-7000-8000-00000000ffff')).status).toBe(404);
  });
});

describe('DELETE /admin/clients/{id}/tokens', () => {
  it('ends the tokens of the client on every node, and it gets new ones', async () => {
    const { body } = await post('/admin/clients', { name: 'orders', first_party: true });
    const { client_id, client_secret } = body;
    const ask = async () => {
      const form = { grant_type: 'client_credentials' };
      const basic = [client_id, client_secret] as const;
      return (await api.call('POST', '/oauth2/token', { basic, form })).body.access_token;
    };
    const { email } = await api.register();
    const login = await api.logIn({ email, fields: { client_id, client_secret } });
    const own: string = await ask();
    const other = await api.anotherNode();
    const path = `/admin/clients/${client_id}/tokens`;
    expect((await api.call('DELETE', path, { token })).status).toBe(204);
    for (const ended of [own, login.access_token]) {
      expect(await api.verify(ended)).toBe(401);
      await expect.poll(() => other.verify(ended)).toBe(401);
    }
    expect(await api.verify(await ask())).toBe(204);
    const refreshed = await api.call('POST', '/oauth2/token', {
      basic: [client_id, client_secret],
      form: { grant_type: 'refresh_token', refresh_token: login.refresh_token },
    });
    expect(await api.verify(refreshed.body.access_token)).toBe(204);
  });
});

describe('DELETE /admin/clients/{id}', () => {
  it('refuses its secret, its tokens and its refreshes, and keeps its record', async () => {
    const { email } = await api.register();
    const { body } = await post('/admin/clients', { name: 'leaving', first_party: true });
    const { client_id, client_secret } = body;
    const login = await api.logIn({ email, fields: { client_id, client_secret } });
    expect(await api.verify(login.access_token)).toBe(204);
    const other = await api.anotherNode();
    const gone = await api.call('DELETE', `/admin/clients/${client_id}`, { token });
    expect(gone.status).toBe(204);
    expect(await authenticates(client_id, client_secret)).toBe(false);
    expect(await api.verify(login.access_token)).toBe(401);
    expect((await api.refresh(login.refresh_token)).status).toBe(401);
    await expect.poll(() => other.verify(login.access_token)).toBe(401);
    await expect.poll(() => authenticates(client_id, client_secret, other)).toBe(false);
    const { body: list } = await api.call('GET', '/admin/clients', { token });
    expect(list.clients).toContainEqual(expect.objectContaining({ client_id, disabled: true }));
    expect((await api.call('DELETE', `/admin/clients/${client_id}`, { token })).status).toBe(204);
  });
});
