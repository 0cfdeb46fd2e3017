import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { askForCode, codeInMail, linkInMail } from '../../support/mail-proofs.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ DEVICE_POLICY_WEB: 'unlimited' });
});
afterAll(() => api.stop());

const post = (path: string, body: unknown, token?: string) =>
  api.call('POST', path, { body, ...(token === undefined ? {} : { token }) });
const verify = (token: string, password?: string) =>
  post('/auth/verify-email', { token, ...(password === undefined ? {} : { password }) });
const logIn = (email: string, password = testPassword) => post('/auth/login', { email, password });
const typesOf = async (id: string) => (await api.eventsOf(id)).map(({ type }) => type);

async function asked() {
  const user = await api.register();
  const tokens = await api.logIn({ email: user.email });
  await post('/auth/verify-email/request', { email: user.email });
  return { ...user, tokens, link: await linkInMail(api.node, user.id, 'verification') };
}

describe('a proof of the address', () => {
  it('ends the password and the sessions from before', async () => {
    const { email, tokens, link } = await asked();
    const { status, body } = await verify(link);
    expect([status, body]).toEqual([204, undefined]);
    expect(await api.verify(tokens.access_token)).toBe(401);
    expect((await api.refresh(tokens.refresh_token)).body.code).toBe('session_ended');
    expect((await logIn(email)).status).toBe(401);
  });

  it('leaves the password that is repeated, and no session', async () => {
    const { email, tokens, link } = await asked();
    expect((await verify(link, testPassword)).status).toBe(204);
    expect(await api.verify(tokens.access_token)).toBe(401);
    expect((await logIn(email)).body.user).toMatchObject({ email_verified: true });
  });

  it('ends the password where another one is given', async () => {
    const { email, link } = await asked();
    expect((await verify(link, 'not the right password')).status).toBe(204);
    for (const password of [testPassword, 'not the right password']) {
      expect((await logIn(email, password)).status).toBe(401);
    }
  });

  it('works once, and no other text works', async () => {
    const { id, link } = await asked();
    await post('/auth/password/forgot', { email: (await asked()).email });
    const bytes = Buffer.from(link, 'base64url');
    bytes[0]! ^= 1;
    for (const token of ['', 'x', link.slice(1), bytes.toString('base64url')]) {
      expect((await verify(token)).body.code).toBe('invalid_token');
    }
    expect((await verify(link)).status).toBe(204);
    expect((await verify(link)).status).toBe(401);
    expect((await typesOf(id)).filter((type) => type === 'EmailVerified')).toHaveLength(1);
  });

  it('is asked for with one answer for known, proven and unknown addresses', async () => {
    const { id, email, link } = await asked();
    await verify(link);
    const before = (await typesOf(id)).length;
    const answers = [];
    for (const text of [email, anEmail(), (await api.register()).email, 'no address']) {
      answers.push(await post('/auth/verify-email/request', { email: text }));
    }
    const shown = answers.map(({ status, headers, body }) => [status, [...headers.keys()], body]);
    expect(new Set(shown.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]!.status).toBe(202);
    expect(await typesOf(id)).toHaveLength(before);
  });
});

describe('a change of the address', () => {
  const change = (token: string, new_email: string, password?: string) =>
    post('/auth/email/change', { new_email, ...(password && { password }) }, token);
  const confirm = (token: string, link: string) =>
    post('/auth/email/confirm', { token: link }, token);

  async function changing(newEmail = anEmail()) {
    const user = await api.register();
    const tokens = await api.logIn({ email: user.email });
    const other = await api.logIn({ email: user.email });
    expect((await change(tokens.access_token, newEmail, testPassword)).status).toBe(202);
    const link = await linkInMail(api.node, user.id, 'email_change');
    return { ...user, tokens, other, newEmail, link };
  }

  it('takes effect with the link, and ends every other session', async () => {
    const { id, email, newEmail, tokens, other, link } = await changing();
    expect((await logIn(email)).status).toBe(200);
    expect((await confirm(tokens.access_token, link)).status).toBe(204);
    const { body } = await api.call('GET', '/auth/me', { token: tokens.access_token });
    expect(body.user).toMatchObject({ id, email: newEmail, email_verified: true });
    expect(await api.verify(other.access_token)).toBe(401);
    expect((await api.eventsOf(other.session.id)).at(-1)?.data).toMatchObject({
      reason: 'email_changed',
    });
    expect((await logIn(email)).status).toBe(401);
    expect((await logIn(newEmail.toUpperCase())).status).toBe(200);
    expect((await api.register(email)).id).not.toBe(id);
  });

  it('works once, and for the user who asked', async () => {
    const { tokens, link, newEmail } = await changing();
    const stranger = await api.register();
    const { access_token } = await api.logIn({ email: stranger.email });
    const refused = await confirm(access_token, link);
    expect([refused.status, refused.body.code]).toEqual([401, 'invalid_credentials']);
    const without = await api.call('POST', '/auth/email/confirm', { body: { token: link } });
    expect(without.body.code).toBe('invalid_token');
    expect((await logIn(newEmail)).status).toBe(401);
    expect((await confirm(tokens.access_token, link)).status).toBe(204);
    expect((await confirm(tokens.access_token, link)).status).toBe(401);
  });

  // Fails when a taken address is told at the request, by its answer or by the next one.
  it('tells nothing of the new address before its link is used', async () => {
    const taken = (await api.register()).email;
    const { tokens, link } = await changing(taken);
    const free = await changing();
    const again = [
      await change(tokens.access_token, anEmail(), testPassword),
      await change(free.tokens.access_token, anEmail(), testPassword),
    ];
    expect(again.map(({ status }) => status)).toEqual([429, 429]);
    const answer = await confirm(tokens.access_token, link);
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict']);
  });

  it('takes the password unless a login or a step-up is recent', async () => {
    const { email } = await api.register();
    const earlier = await api.anotherNode();
    Object.assign(earlier.node, { now: () => Date.now() - 301_000 });
    const { access_token: old } = await earlier.logIn({ email });
    const refused = await change(old, anEmail());
    expect([refused.status, refused.body.code]).toEqual([401, 'invalid_credentials']);
    const wrong = await change(old, anEmail(), 'not the right password');
    expect([wrong.status, wrong.body.code]).toEqual([401, 'invalid_credentials']);
    expect((await change(old, 'no address', testPassword)).status).toBe(400);
    const proof = { token: old, body: { password: testPassword } };
    const { body: stepped } = await api.call('POST', '/auth/step-up', proof);
    expect((await change(stepped.access_token, anEmail())).status).toBe(202);
  });

  it('locks after ten wrong passwords, for this session', async () => {
    const { id, email } = await api.register();
    const { access_token } = await api.logIn({ email });
    for (let n = 0; n < 10; n += 1) await change(access_token, anEmail(), 'not the password');
    expect((await typesOf(id)).at(-1)).toBe('DeviceLocked');
    expect((await change(access_token, anEmail(), testPassword)).status).toBe(401);
    expect((await logIn(email)).status).toBe(200);
  });

  // Fails when a code or a link to the old address outlives it.
  it('ends what is on its way to the old address', async () => {
    const { id, email, tokens, link } = await changing();
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    await post('/auth/password/forgot', { email });
    const reset = await linkInMail(api.node, id, 'reset');
    await confirm(tokens.access_token, link);
    expect((await post('/auth/login', { request_id, otp })).status).toBe(401);
    const body = { token: reset, new_password: 'another long and ordinary sentence' };
    expect((await post('/auth/password/reset', body)).status).toBe(401);
  });
});
