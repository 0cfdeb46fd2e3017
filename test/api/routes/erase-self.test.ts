import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestApi, testPassword } from '../../support/api.ts';
import { type TwoFactorUser, twoFactorUser } from '../../support/authenticator.ts';
import { askForCode, codeInMail } from '../../support/mail-proofs.ts';
import { type ErasureWorld, nothing, startErasureWorld } from './erasure-world.ts';

let world: ErasureWorld;
let api: TestApi;
beforeAll(async () => {
  world = await startErasureWorld();
  api = world.api;
});
afterAll(() => api.stop());

describe('DELETE /auth/me', () => {
  it('erases the caller who gives the password', async () => {
    const { id, here, token: own } = await world.someone();
    const { status, headers } = await world.eraseMe(own);
    expect(status).toBe(204);
    expect(headers.getSetCookie().map((cookie) => cookie.split(';')[0])).toEqual([
      '__Host-latchkey_refresh=',
      '__Host-latchkey_bound=',
      '__Host-latchkey_device=',
    ]);
    expect(await world.leftOf(id)).toEqual(nothing);
    expect(world.written(id)).toHaveLength(1);
    expect((await api.eventsOf(id)).at(-1)).toMatchObject({
      type: 'SubjectErased',
      meta: { actor: id, actor_type: 'user' },
    });
    expect(await api.verify(here.access_token)).toBe(401);
    const again = await world.eraseMe(own);
    expect([again.status, again.body.code]).toEqual([401, 'invalid_token']);
  });

  it('counts wrong passwords with those of POST /auth/password, and locks like it', async () => {
    const { id, token: own } = await world.someone();
    for (let n = 0; n < 5; n += 1) {
      const refused = await world.eraseMe(own, `wrong password number ${n}`);
      expect([refused.status, refused.body.code]).toEqual([401, 'invalid_credentials']);
      const wrong = `wrong number ${n}`;
      await api.call('POST', '/auth/password', {
        token: own,
        body: { current_password: wrong, new_password: 'another long and ordinary sentence' },
      });
    }
    const locked = await world.eraseMe(own);
    expect([locked.status, locked.body.code]).toEqual([401, 'invalid_credentials']);
    const types = (await api.eventsOf(id)).map(({ type }) => type);
    expect(types.filter((type) => type === 'PasswordCheckFailed')).toHaveLength(10);
    expect(types.at(-1)).toBe('DeviceLocked');
  });

  it('clears the count of failures with the same append', async () => {
    const { id, token: own } = await world.someone();
    await world.eraseMe(own, 'not the password at all');
    expect((await world.eraseMe(own)).status).toBe(204);
    const [cleared, erased] = (await api.eventsOf(id)).slice(-2);
    expect([cleared!.type, erased!.type]).toEqual(['FailedChecksCleared', 'SubjectErased']);
    expect(cleared!.meta.command_id).toBe(erased!.meta.command_id);
    expect(await world.leftOf(id)).toEqual(nothing);
  });

  it('demands a recent login, and says how recent (RFC 9470)', async () => {
    const strict = await api.anotherNode({ RECENT_AUTHENTICATION_SECONDS: '1' });
    const { id, token: own } = await world.someone();
    const ask = () => world.eraseMe(own, 'not the password at all', strict);
    // Each early one is a wrong password, and ten of them would lock.
    await expect
      .poll(async () => (await ask()).body.code, { interval: 250 })
      .toBe('insufficient_user_authentication');
    const { status, body, headers } = await world.eraseMe(own, testPassword, strict);
    expect([status, body.code, body.max_age]).toEqual([401, 'insufficient_user_authentication', 1]);
    expect(headers.get('www-authenticate')).toBe(
      'Bearer realm="latchkey", error="insufficient_user_authentication", max_age="1"',
    );
    expect((await api.eventsOf(id)).at(-1)!.type).not.toBe('SubjectErased');
    // By the default of 300 s it is recent.
    expect((await world.eraseMe(own)).status).toBe(204);
  });

  it('takes the second factor in place of the password', async () => {
    const wrong = await twoFactorUser(api, 'desktop');
    const by = async ({ refreshToken }: TwoFactorUser, body: object) => {
      const token = (await api.refresh(refreshToken)).body.access_token;
      return api.call('DELETE', '/auth/me', { token, body });
    };
    expect((await by(wrong, { totp: wrong.app.wrongCode() })).body.code).toBe(
      'invalid_credentials',
    );
    for (const factor of ['totp', 'recovery_code']) {
      const user = await twoFactorUser(api, 'desktop');
      const code = factor === 'totp' ? user.app.code(1) : user.recoveryCodes[0];
      expect((await by(user, { [factor]: code })).status).toBe(204);
      expect(await world.leftOf(user.id)).toEqual(nothing);
    }
  });

  // Fails when who logs in by mail only can never leave.
  it('takes the recent login alone of a user who has nothing else', async () => {
    const { id, email } = await api.register();
    const request_id = await askForCode(api, email);
    const body = { request_id, otp: await codeInMail(api.node, request_id) };
    const { body: tokens } = await api.call('POST', '/auth/login', { body });
    const erase = (proof: object) =>
      api.call('DELETE', '/auth/me', { token: tokens.access_token, ...proof });
    expect((await erase({ body: { password: testPassword } })).status).toBe(401);
    expect((await erase({})).status).toBe(204);
    expect(await world.leftOf(id)).toEqual(nothing);
  });

  it('keeps the last administrator', async () => {
    const refused = await world.eraseMe(world.token);
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
  });

  it('refuses a token without a body, and one that is not good', async () => {
    const { token: own } = await world.someone();
    expect((await api.call('DELETE', '/auth/me', { token: own, body: {} })).status).toBe(400);
    expect((await world.eraseMe('nonsense')).body.code).toBe('invalid_token');
  });
});

describe('an erasure on another node', () => {
  it('is known there within the interval of a poll, the cached key included', async () => {
    const other = await api.anotherNode();
    const { email, id } = await world.someone();
    // The other node has opened the key of the subject, and would keep it for ten minutes.
    const there = await other.logIn({ email, device: 'web' });
    const [{ wrapped }] = await world.query(
      'select wrapped from latchkey.subject_keys where subject_id = $1',
      [id],
    );
    let opened = 0;
    const unwrap = other.node.keyWrap.unwrap.bind(other.node.keyWrap);
    other.node.keyWrap.unwrap = (...args: Parameters<typeof unwrap>) => {
      opened += 1;
      return unwrap(...args);
    };
    await other.node.subjectKeys.unwrap(id, wrapped);
    expect(opened).toBe(0);

    const startedAt = performance.now();
    await world.erase(id);
    await expect.poll(() => other.verify(there.access_token), { interval: 5 }).toBe(401);
    expect(performance.now() - startedAt).toBeLessThan(5_000);

    await other.node.subjectKeys.unwrap(id, wrapped);
    expect(opened).toBe(1);
    const seen = await other.call('GET', `/admin/users/${id}/sessions`, { token: world.token });
    expect(seen.status).toBe(404);
    const login = await other.call('POST', '/auth/login', {
      body: { email, password: testPassword },
    });
    expect(login.status).toBe(401);
  });
});
