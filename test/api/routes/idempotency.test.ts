import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';

let api: TestApi;
let token: string;
beforeAll(async () => {
  api = await startTestApi({ JWKS_MAX_KEYS: '20' });
  token = (await api.admin()).access_token;
});
afterAll(() => api.stop());

const newKey = () => `key-${randomUUID()}`;
const post = (path: string, key: string, body?: unknown) =>
  api.call('POST', path, {
    token,
    headers: { 'idempotency-key': key },
    ...(body === undefined ? {} : { body }),
  });
const otherPassphrase = 'quite another ordinary phrase';

describe('a retry under the Idempotency-Key of a user', () => {
  // Fails when the answer is made of the user as it is now, or of what the retry asks for.
  it('E5: gets the first answer, whatever has become of the user since', async () => {
    const key = newKey();
    const body = { email: anEmail(), password: testPassword, roles: ['b', 'a'] };
    const first = await post('/admin/users', key, body);
    const { id } = first.body.user;
    await api.call('PUT', `/admin/users/${id}/roles/c`, { token });
    await api.call('DELETE', `/admin/users/${id}/roles/a`, { token });
    const login = await api.logIn({ email: body.email });
    const bearer = { token: login.access_token };
    await api.call('PATCH', '/auth/me', { ...bearer, body: { name: 'Ada' } });
    await api.call('POST', '/auth/password', {
      ...bearer,
      body: { current_password: testPassword, new_password: otherPassphrase },
    });
    await api.call('POST', `/admin/users/${id}/disable`, { token });
    const again = await post('/admin/users', key, body);
    expect([again.status, again.body]).toEqual([201, first.body]);
  });

  it.each([
    ['address', { email: 'another.one@example.com' }],
    ['password', { password: otherPassphrase }],
    ['password: none', { password: undefined }],
    ['roles', { roles: ['a', 'latchkey:admin'] }],
    ['roles: fewer', { roles: [] }],
  ])('E5: with another body (%s) is a conflict', async (_, changed) => {
    const key = newKey();
    const body = { email: anEmail(), password: testPassword, roles: ['a'] };
    expect((await post('/admin/users', key, body)).status).toBe(201);
    const other = await post('/admin/users', key, { ...body, ...changed });
    expect([other.status, other.body.code]).toEqual([409, 'conflict']);
    expect((await post('/admin/users', key, { ...body, roles: ['a', 'a'] })).status).toBe(201);
  });

  // Fails when the node that comes second is told that its own address is taken.
  it('gets the first answer from another node, also at the same moment', async () => {
    const other = await api.anotherNode();
    for (let round = 0; round < 20; round += 1) {
      const headers = { 'idempotency-key': newKey() };
      const body = { email: anEmail(), password: testPassword };
      const answers = await Promise.all(
        [api, other].map((node) => node.call('POST', '/auth/register', { headers, body })),
      );
      expect(answers.map(({ status }) => status)).toEqual([201, 201]);
      expect(answers[0]!.body).toEqual(answers[1]!.body);
    }
  });

  describe('while the first try still hashes its password', () => {
    afterEach(() => void vi.restoreAllMocks());

    /**
     * Sends `count` tries. All of them hash at once; the first to begin is done first, and the others
     * when it has its answer.
     */
    async function together<T>(nodes: readonly TestApi[], tries: readonly (() => Promise<T>)[]) {
      const allHere = Promise.withResolvers<void>();
      const firstIsAnswered = Promise.withResolvers<void>();
      let here = 0;
      for (const { node } of new Set(nodes)) {
        const hash = node.hasher.hash.bind(node.hasher);
        vi.spyOn(node.hasher, 'hash').mockImplementation(async (...given) => {
          here += 1;
          const isFirst = here === 1;
          if (here === tries.length) allHere.resolve();
          await allHere.promise;
          if (!isFirst) await firstIsAnswered.promise;
          return hash(...given);
        });
      }
      const answers = tries.map((send) => send());
      void Promise.race(answers).then(() => firstIsAnswered.resolve());
      return Promise.all(answers);
    }
    const register = (node: TestApi, headers: Record<string, string>, body: object) =>
      node.call('POST', '/auth/register', { headers, body });

    // Fails when who finds the address taken does not ask whether it took it itself.
    it.each(['one node', 'two nodes'])('E5: gets the first answer, on %s', async (where) => {
      const other = where === 'one node' ? api : await api.anotherNode();
      const headers = { 'idempotency-key': newKey() };
      const body = { email: anEmail(), password: testPassword };
      const nodes = [api, other, api, other];
      const tries = nodes.map((node) => () => register(node, headers, body));
      const answers = await together(nodes, tries);
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
      expect(new Set(answers.map(({ body: { user } }) => user.id)).size).toBe(1);
    });

    it('E5: and of an administrator', async () => {
      const key = newKey();
      const body = { email: anEmail(), password: testPassword };
      const tries = [1, 2, 3].map(() => () => post('/admin/users', key, body));
      const answers = await together([api], tries);
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    });

    // Fails when the invite that the first try has used refuses the others.
    it('C5: gets the first answer where an invite pays', async () => {
      const inviting = await api.anotherNode({ REGISTRATION: 'invite' });
      const { body: invited } = await post('/admin/invites', newKey(), { expires_in: 600 });
      const headers = { 'idempotency-key': newKey() };
      const body = { email: anEmail(), password: testPassword, invite: invited.invite };
      const tries = [1, 2, 3].map(() => () => register(inviting, headers, body));
      const answers = await together([inviting], tries);
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    });

    it('another registration of the same address is a conflict', async () => {
      const body = { email: anEmail(), password: testPassword };
      const tries = [newKey(), newKey()].map(
        (key) => () => register(api, { 'idempotency-key': key }, body),
      );
      const answers = await together([api], tries);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409]);
    });
  });

  it('E5: that registers itself is held to the same', async () => {
    const headers = { 'idempotency-key': newKey() };
    const body = { email: anEmail(), password: testPassword };
    const register = (fields: object) =>
      api.call('POST', '/auth/register', { body: { ...body, ...fields }, headers });
    const first = await register({});
    await api.call('PUT', `/admin/users/${first.body.user.id}/roles/editor`, { token });
    const again = await register({});
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect((await register({ password: otherPassphrase })).status).toBe(409);
  });
});

describe('a retry under the Idempotency-Key of another command', () => {
  it('E5: of a client, an invite and a secret: the first answer without its secret', async () => {
    const key = newKey();
    const client = { name: 'shop', first_party: true, scopes: ['a'] };
    const { body } = await post('/admin/clients', key, client);
    const path = `/admin/clients/${body.client_id}`;
    expect((await post(`${path}/secret`, key)).body.client_id).toBe(body.client_id);
    expect((await post('/admin/invites', key, { expires_in: 60 })).status).toBe(201);
    await api.call('DELETE', path, { token });
    const shown = { client_id: body.client_id };
    expect((await post('/admin/clients', key, client)).body).toEqual(shown);
    expect((await post(`${path}/secret`, key)).body).toEqual(shown);
    for (const changed of [{ first_party: false }, { scopes: [] }, { kind: 'public' }]) {
      expect((await post('/admin/clients', key, { ...client, ...changed })).status).toBe(409);
    }
    expect((await post('/admin/invites', key, { expires_in: 61 })).status).toBe(409);
  });

  // Fails when the keyset as it is now is answered.
  it('E5: of a rotation or a revoked key, the keyset as it was then', async () => {
    const [rotate, revoke] = [newKey(), newKey()];
    const first = await post('/admin/keys/rotate', rotate, { now: true });
    token = (await api.admin()).access_token;
    const retiring = first.body.keys.find((key: { status: string }) => key.status === 'retiring');
    const path = `/admin/keys/${retiring.kid}/revoke`;
    const revoked = await post(path, revoke);
    token = (await api.admin()).access_token;
    expect((await post('/admin/keys/rotate', newKey(), { now: true })).status).toBe(200);
    expect((await post('/admin/keys/rotate', rotate, { now: true })).body).toEqual(first.body);
    expect((await post(path, revoke)).body).toEqual(revoked.body);
  });
});
