import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
let token: string;
beforeEach(async () => {
  api = await startTestApi();
  token = (await api.admin()).access_token;
});
afterEach(() => api.stop());

interface Key {
  kid: string;
  status: string;
}

async function keys(): Promise<Key[]> {
  return (await api.call('GET', '/admin/keys', { token })).body.keys;
}
const kidOf = (list: Key[], status: string) => list.find((key) => key.status === status)!.kid;
const published = async (node: TestApi = api) =>
  (await node.call('GET', '/auth/jwks')).body.keys.map(({ kid }: { kid: string }) => kid);
const signedBy = (jwt: string) =>
  JSON.parse(Buffer.from(jwt.split('.')[0]!, 'base64url').toString()).kid;
const post = (path: string, key?: string) =>
  api.call('POST', path, {
    token,
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });

describe('GET /admin/keys', () => {
  it('shows an active and a pending key, and nothing private', async () => {
    const { body } = await api.call('GET', '/admin/keys', { token });
    expect(body.keys.map(({ status }: Key) => status).sort()).toEqual(['active', 'pending']);
    expect(JSON.stringify(body)).not.toMatch(/"(d|p|q|jwk|wrapped)"/);
  });
});

describe('POST /admin/keys/rotate', () => {
  it('promotes the pending key, with which this node signs before it answers', async () => {
    const before = await keys();
    const { email } = await api.register();
    const old = await api.logIn({ email, device: 'web' });
    const { status, body } = await post('/admin/keys/rotate');
    expect(status).toBe(200);
    expect(kidOf(body.keys, 'active')).toBe(kidOf(before, 'pending'));
    expect(kidOf(body.keys, 'retiring')).toBe(kidOf(before, 'active'));
    const fresh = await api.logIn({ email, device: 'mobile' });
    expect(signedBy(fresh.access_token)).toBe(kidOf(before, 'pending'));
    expect(await api.verify(old.access_token)).toBe(204);
    expect((await published()).sort()).toEqual(body.keys.map(({ kid }: Key) => kid).sort());
  });

  it('is followed by other nodes, which already held the promoted key', async () => {
    const other = await api.anotherNode();
    const { email } = await api.register();
    await post('/admin/keys/rotate');
    const fresh = await api.logIn({ email });
    expect(await other.verify(fresh.access_token)).toBe(204);
    const pending = kidOf(await keys(), 'pending');
    await expect.poll(() => published(other)).toContain(pending);
  });

  it('rotates once for retries under one Idempotency-Key', async () => {
    const first = await post('/admin/keys/rotate', 'rotate-once');
    const again = await post('/admin/keys/rotate', 'rotate-once');
    expect([again.status, again.body]).toEqual([200, first.body]);
    await post('/admin/keys/rotate', 'rotate-twice');
    expect(await keys()).toHaveLength(4);
  });

  it('drops no key with live tokens: a full JWKS refuses to rotate', async () => {
    const most = api.services.config.jwksMaxKeys;
    for (let n = 2; n < most; n += 1) await post('/admin/keys/rotate');
    const refused = await post('/admin/keys/rotate');
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
    expect(await published()).toHaveLength(most);
  });
});

describe('POST /admin/keys/{kid}/revoke', () => {
  it('refuses the tokens of the key at once, everywhere; sessions refresh to the next', async () => {
    const other = await api.anotherNode();
    const { email } = await api.register();
    const login = await api.logIn({ email });
    const active = kidOf(await keys(), 'active');
    const { status, body } = await post(`/admin/keys/${active}/revoke`);
    expect([status, kidOf(body.keys, 'revoked')]).toEqual([200, active]);
    expect(await api.verify(login.access_token)).toBe(401);
    await expect.poll(() => other.verify(login.access_token)).toBe(401);
    expect(await published()).not.toContain(active);
    const refreshed = await api.refresh(login.refresh_token);
    expect(await api.verify(refreshed.body.access_token)).toBe(204);
    expect(signedBy(refreshed.body.access_token)).not.toBe(active);
  });

  it('leaves an active and a pending key behind, and is idempotent', async () => {
    const pending = kidOf(await keys(), 'pending');
    await post(`/admin/keys/${pending}/revoke`);
    const { status, body } = await post(`/admin/keys/${pending}/revoke`);
    expect(status).toBe(200);
    expect(body.keys.map((key: Key) => key.status).sort()).toEqual([
      'active',
      'pending',
      'revoked',
    ]);
  });

  it('is 404 for a kid that is not ours', async () => {
    expect((await post('/admin/keys/no-such-kid/revoke')).status).toBe(404);
  });
});
