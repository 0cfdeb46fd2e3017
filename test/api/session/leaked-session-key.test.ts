import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AccessTokenInput,
  signAccessToken,
} from '../../../src/app/session/sign-access-token.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { everywhere, kidOf } from './session-key-world.ts';

let api: TestApi;
let other: TestApi;
beforeAll(async () => {
  api = await startTestApi(everywhere);
  other = await api.anotherNode({ SESSION_KEY_ALGORITHM: 'ES256' });
});
afterAll(() => api.stop());

/** A new user's session with the private key that only this process should have. */
async function leakedSession() {
  const { email, id } = await api.register();
  const tokens = await api.logIn({ email });
  const key = api.node.memory.sessionSigningKeys.find(
    tokens.session.id,
    kidOf(tokens.access_token),
  )!;
  return { email, id, tokens, key };
}

describe('a session key that leaks', () => {
  /** What a thief of the key can sign. */
  const forged = (
    { id, tokens, key }: Awaited<ReturnType<typeof leakedSession>>,
    claims: Partial<AccessTokenInput> = {},
  ) =>
    signAccessToken({
      key,
      issuer: 'http://latchkey.test',
      userId: id,
      userEpoch: 9,
      sessionId: tokens.session.id,
      generation: 1,
      audience: ['http://latchkey.test'],
      client: null,
      amr: ['pwd'],
      roles: ['payroll'],
      scope: '',
      deviceType: 'web',
      authenticatedAt: Date.now(),
      issuedAt: Date.now(),
      expiresAt: Date.now() + 60_000,
      ...claims,
    });

  // Fails when roles are taken for claims like any other: the key of a user would rule Latchkey.
  it('gives its user no right over Latchkey, at any process', async () => {
    const thief = await leakedSession();
    const token = await forged(thief, { roles: ['latchkey:admin'] });
    const promotion = `/admin/users/${thief.id}/roles/latchkey:admin`;
    for (const node of [api, other]) {
      expect(await node.verify(token)).toBe(401);
      expect((await node.call('GET', '/admin/users', { token })).status).toBe(401);
      expect((await node.call('PUT', promotion, { token })).status).toBe(401);
      const asUser = { token: await forged(thief) };
      expect((await node.call('GET', '/admin/users', asUser)).status).toBe(403);
    }
  });

  it('signs nothing that lives longer than any access token', async () => {
    const thief = await leakedSession();
    const living = (days: number) => forged(thief, { expiresAt: Date.now() + days * 86_400_000 });
    for (const node of [api, other]) {
      expect(await node.verify(await living(1))).toBe(204);
      expect(await node.verify(await living(300))).toBe(401);
    }
  });

  // Fails when the owner of a key is not compared: whoever has one key would be everybody.
  it('signs for no other session and for no other user, at any process', async () => {
    const thief = await leakedSession();
    const victim = await leakedSession();
    const mint = (userId: string, sessionId: string) => forged(thief, { userId, sessionId });
    const own = await mint(thief.id, thief.tokens.session.id);
    expect(await api.verify(own)).toBe(204);
    for (const token of [
      await mint(victim.id, victim.tokens.session.id),
      await mint(victim.id, thief.tokens.session.id),
      await mint(thief.id, victim.tokens.session.id),
    ]) {
      for (const node of [api, other]) {
        expect(await node.verify(token)).toBe(401);
        expect((await node.call('GET', '/auth/me', { token })).status).toBe(401);
        expect((await node.call('POST', '/auth/logout', { token })).status).toBe(401);
      }
    }
    expect(await api.verify(victim.tokens.access_token)).toBe(204);
    // Once its session has ended it signs for nobody.
    await api.call('POST', '/auth/logout', { token: thief.tokens.access_token });
    const late = await mint(thief.id, thief.tokens.session.id);
    expect(await api.verify(late)).toBe(401);
    expect(await (await api.anotherNode()).verify(late)).toBe(401);
  });
});
