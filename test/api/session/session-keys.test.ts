import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { withClient } from '../../support/postgres.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ SIGNING_WEB: 'session', SIGNING_SERVICE: 'session' });
});
afterAll(() => api.stop());

const kidOf = (token: string) => decodeProtectedHeader(token).kid!;

async function secretKids(): Promise<string[]> {
  return withClient(api.database.ownerUrl, async (client) => {
    const { rows } = await client.query('select kid from latchkey.session_key_secrets');
    return rows.map(({ kid }) => kid as string);
  });
}

describe('a login whose device type has session keys', () => {
  it('is signed with a key of its own, which one process and the next verify', async () => {
    const { email, id } = await api.register();
    const first = await api.logIn({ email });
    const kid = kidOf(first.access_token);
    expect(decodeProtectedHeader(first.access_token).alg).toBe('Ed25519');
    expect(kid).not.toBe(api.node.memory.keyset.keys[0]!.kid);
    expect(await api.verify(first.access_token)).toBe(204);
    const other = await api.anotherNode();
    expect(await other.verify(first.access_token)).toBe(204);
    const refreshed = await other.refresh(first.refresh_token);
    expect(kidOf(refreshed.body.access_token)).toBe(kid);
    expect(await api.verify(refreshed.body.access_token)).toBe(204);
    expect(await secretKids()).toContain(kid);
    const keys = await api.call('GET', `/users/${id}/jwks.json`, { token: first.access_token });
    expect(keys.body.keys).toMatchObject([{ kid, kty: 'OKP', alg: 'Ed25519' }]);
    const key = await api.call('GET', `/keys/${kid}`);
    expect(key.body).toEqual(keys.body.keys[0]);
    expect(decodeJwt(first.access_token).sub).toBe(id);
  });
});
