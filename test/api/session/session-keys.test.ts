import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { budgets } from '../../../src/domain/kernel/budgets.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { withClient } from '../../support/postgres.ts';
import { everywhere, kidOf, storedKey } from './session-key-world.ts';

let api: TestApi;
let other: TestApi;
beforeAll(async () => {
  api = await startTestApi(everywhere);
  other = await api.anotherNode({ SESSION_KEY_ALGORITHM: 'ES256' });
});
afterAll(() => api.stop());

describe('a login whose device type has session keys', () => {
  it('is signed with a key of its own, which each process verifies', async () => {
    const { email } = await api.register();
    const first = await api.logIn({ email });
    const kid = kidOf(first.access_token);
    expect(decodeProtectedHeader(first.access_token)).toMatchObject({ alg: 'Ed25519' });
    expect(api.node.memory.keyset.keys.map((key) => key.kid)).not.toContain(kid);
    expect(await api.verify(first.access_token)).toBe(204);
    expect(await other.verify(first.access_token)).toBe(204);
    expect((await other.call('GET', '/auth/me', { token: first.access_token })).status).toBe(200);
    const second = await api.logIn({ email, device: 'mobile' });
    expect(kidOf(second.access_token)).not.toBe(kid);
  });

  it('keeps its key through refreshes, wherever they are answered', async () => {
    const { email } = await api.register();
    const first = await api.logIn({ email });
    const { status, body } = await other.refresh(first.refresh_token);
    expect([status, kidOf(body.access_token)]).toEqual([200, kidOf(first.access_token)]);
    expect(await api.verify(body.access_token)).toBe(204);
    expect(await api.verify(first.access_token)).toBe(204);
  });

  it('takes the algorithm of the process that answers', async () => {
    const { email } = await api.register();
    const { access_token } = await other.logIn({ email });
    expect(decodeProtectedHeader(access_token).alg).toBe('ES256');
    expect(await api.verify(access_token)).toBe(204);
  });

  it('stays signed in when every process is restarted', async () => {
    const { email } = await api.register();
    const first = await api.logIn({ email });
    const restarted = await api.anotherNode();
    expect(await restarted.verify(first.access_token)).toBe(204);
    const { status, body } = await restarted.refresh(first.refresh_token);
    expect([status, kidOf(body.access_token)]).toEqual([200, kidOf(first.access_token)]);
  });

  it('lends its key to an introspection, and to a logout, at another process', async () => {
    const administrator = { token: (await api.admin()).access_token };
    const fields = { name: 'orders', scopes: ['introspect.all'] };
    const made = await api.call('POST', '/admin/clients', { ...administrator, body: fields });
    await other.node.refreshMemory();
    const { email } = await api.register();
    const { access_token: token } = await api.logIn({ email });
    const basic = [made.body.client_id, made.body.client_secret] as const;
    const asked = await other.call('POST', '/oauth2/introspect', { basic, form: { token } });
    expect(asked.body).toMatchObject({ active: true, sub: decodeJwt(token).sub });
    const third = await api.anotherNode();
    expect((await third.call('POST', '/auth/logout', { token })).status).toBe(204);
    expect(await third.verify(token)).toBe(401);
    await expect.poll(() => api.verify(token)).toBe(401);
  });
});

describe('whose key signs', () => {
  it('is what the client says, before what the device type says', async () => {
    const issuer = await api.anotherNode(
      Object.fromEntries(Object.keys(everywhere).map((name) => [name, 'issuer'])),
    );
    const administrator = { token: (await issuer.admin()).access_token };
    const register = async (node: TestApi, signing: string) => {
      const body = { name: 'app', kind: 'public', first_party: true, signing };
      const made = await node.call('POST', '/admin/clients', { ...administrator, body });
      const path = `/admin/clients/${made.body.client_id}`;
      expect((await node.call('GET', path, administrator)).body.signing).toBe(signing);
      return { client_id: made.body.client_id as string };
    };
    const { email } = await api.register();
    const { kid: issuerKid } = issuer.node.memory.signingKey.get();
    const own = await issuer.logIn({ email, fields: await register(issuer, 'session') });
    expect(kidOf(own.access_token)).not.toBe(issuerKid);
    expect(await issuer.verify(own.access_token)).toBe(204);
    const plain = await issuer.logIn({ email });
    expect(kidOf(plain.access_token)).toBe(issuerKid);
    const shared = await api.logIn({ email, fields: await register(api, 'issuer') });
    expect(kidOf(shared.access_token)).toBe(issuerKid);
  });
});

describe('the public keys', () => {
  it('are shown to their user and to an administrator, and to nobody else', async () => {
    const { email, id } = await api.register();
    const web = await api.logIn({ email });
    const mobile = await api.logIn({ email, device: 'mobile' });
    const path = `/users/${id}/jwks.json`;
    const own = await other.call('GET', path, { token: web.access_token });
    expect(own.body.keys.map(({ kid }: { kid: string }) => kid)).toEqual(
      [mobile, web].map(({ access_token }) => kidOf(access_token)),
    );
    expect(own.headers.get('cache-control')).toBe('no-store');
    const { access_token: token } = await api.admin();
    expect((await api.call('GET', path, { token })).body).toEqual(own.body);
    const unknown = '01a213a0-ed25-70f3-a2db-df2f2fab427f';
    const nobodys = await api.call('GET', `/users/${unknown}/jwks.json`, { token });
    expect(nobodys.status).toBe(404);
    const stranger = await api.logIn({ email: (await api.register()).email });
    for (const user of [id, unknown]) {
      const answer = await api.call('GET', `/users/${user}/jwks.json`, {
        token: stranger.access_token,
      });
      expect(answer.status).toBe(403);
    }
    await api.call('POST', '/auth/logout', { token: web.access_token });
    const left = await other.call('GET', path, { token: mobile.access_token });
    expect(left.body.keys).toHaveLength(1);
  });

  it('are served one by one while their session lives', async () => {
    const { email } = await api.register();
    const { access_token: token } = await api.logIn({ email });
    const answer = await other.call('GET', `/keys/${kidOf(token)}`);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      ...{ kty: 'OKP', crv: 'Ed25519', x: expect.any(String) },
      ...{ use: 'sig', alg: 'Ed25519', kid: kidOf(token) },
      ...{ sid: decodeJwt(token).sid, sub: decodeJwt(token).sub },
    });
    const maxAge = /^public, max-age=(\d+)$/.exec(answer.headers.get('cache-control')!)!;
    expect(Number(maxAge[1])).toBeLessThanOrEqual(60);
    await api.call('POST', '/auth/logout', { token });
    const bodies = [];
    const { kid: issuerKid } = api.node.memory.signingKey.get();
    for (const kid of [kidOf(token), 'A'.repeat(32), 'x', issuerKid]) {
      const { status, body } = await other.call('GET', `/keys/${kid}`);
      expect(status, kid).toBe(404);
      bodies.push({ ...body, request_id: '' });
    }
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
  });

  // Fails when a made-up kid spends the budget, or one of ours is looked for without it.
  it('are looked for within a budget, which a made-up kid does not touch', async () => {
    const { access_token } = await api.logIn({ email: (await api.register()).email });
    const limited = await api.anotherNode({ RATE_LIMITS: 'on' });
    const get = async (kid: string) => (await limited.call('GET', `/keys/${kid}`)).status;
    expect(await get(kidOf(access_token))).toBe(200);
    const spent = budgets.key_lookup[0].count - 1;
    for (let count = 0; count < spent; count++) {
      limited.node.rateLimits.take('key_lookup', { address: '127.0.0.1' });
    }
    expect(await get(kidOf(access_token))).toBe(429);
    expect(await get('A'.repeat(32))).toBe(404);
  });

  it('never stand among those of the issuer', async () => {
    const { body } = await api.call('GET', '/.well-known/jwks.json');
    const kids = body.keys.map(({ kid }: { kid: string }) => kid);
    expect(kids).toEqual(api.node.memory.keyset.keys.map(({ kid }) => kid));
    expect(await api.node.metrics.registry.metrics()).not.toContain(
      kidOf((await api.logIn({ email: (await api.register()).email })).access_token),
    );
  });
});

describe('the tokens of an administrator whose session has a key', () => {
  // Fails when they are signed with that key: no verifier takes a role of Latchkey from it.
  it('are signed by the issuer, and rule Latchkey at any process', async () => {
    const first = await other.admin();
    expect(kidOf(first.access_token)).toBe(other.node.memory.signingKey.get().kid);
    expect(decodeJwt(first.access_token).roles).toContain('latchkey:admin');
    for (const node of [api, other]) {
      const { status } = await node.call('GET', '/admin/users', { token: first.access_token });
      expect(status).toBe(200);
    }
  });

  it('change their signer with the role, at the next refresh', async () => {
    const { access_token: token } = await api.admin();
    const { email, id } = await api.register();
    const fields = { audience: api.node.config.tokens.issuer };
    const login = await api.logIn({ email, fields });
    const own = kidOf(login.access_token);
    const { kid: issuerKid } = api.node.memory.signingKey.get();
    expect(own).not.toBe(issuerKid);
    const role = `/admin/users/${id}/roles/latchkey:admin`;
    expect((await api.call('PUT', role, { token })).status).toBe(204);

    const promoted = (await api.refresh(login.refresh_token)).body;
    expect(kidOf(promoted.access_token)).toBe(issuerKid);
    const asAdmin = { token: promoted.access_token };
    expect((await api.call('GET', '/admin/users', asAdmin)).status).toBe(200);
    const repeated = (await other.refresh(login.refresh_token)).body;
    expect(kidOf(repeated.access_token)).toBe(issuerKid);

    expect((await api.call('DELETE', role, { token })).status).toBe(204);
    expect(await api.verify(promoted.access_token)).toBe(401);
    const demoted = (await api.refresh(promoted.refresh_token)).body;
    expect(kidOf(demoted.access_token)).toBe(own);
    expect(await api.verify(demoted.access_token)).toBe(204);
  });
});

describe('a live session whose private key is gone', () => {
  it('goes on under the key of the issuer, and that is counted', async () => {
    const { email } = await api.register();
    const first = await api.logIn({ email });
    const kid = kidOf(first.access_token);
    await withClient(api.database.ownerUrl, (client) =>
      client.query('delete from latchkey.session_key_secrets where kid = $1', [kid]),
    );
    const restarted = await api.anotherNode();
    const { status, body } = await restarted.refresh(first.refresh_token);
    expect(status).toBe(200);
    expect(kidOf(body.access_token)).toBe(restarted.node.memory.signingKey.get().kid);
    expect(await api.verify(body.access_token)).toBe(204);
    expect(restarted.node.sessionKeys.counts.missing).toBe(1);
    expect(await storedKey(api, kid)).toEqual({ secret: false, shown: true });
  });
});
