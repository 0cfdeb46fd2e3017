import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { askForCode, codeInMail, linkInMail } from '../../support/mail-proofs.ts';

const newPassword = 'another long and ordinary sentence';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ DEVICE_POLICY_WEB: 'unlimited' });
});
afterAll(() => api.stop());

const post = (path: string, body: unknown, token?: string) =>
  api.call('POST', path, { body, ...(token === undefined ? {} : { token }) });
const reset = (token: string, new_password = newPassword) =>
  post('/auth/password/reset', { token, new_password });
const logIn = (email: string, password: string) => post('/auth/login', { email, password });
const typesOf = async (id: string) => (await api.eventsOf(id)).map(({ type }) => type);

async function asked() {
  const user = await api.register();
  const tokens = await api.logIn({ email: user.email });
  await post('/auth/password/forgot', { email: user.email });
  return { ...user, tokens, link: await linkInMail(api.node, user.id, 'reset') };
}

describe('a request for a new password', () => {
  it('is answered alike for known and unknown addresses, and writes for known ones', async () => {
    const { email, id } = await api.register();
    const answers = [];
    for (const text of [email, anEmail(), 'no address']) {
      answers.push(await post('/auth/password/forgot', { email: text }));
    }
    const shown = answers.map(({ status, headers, body }) => [status, [...headers.keys()], body]);
    expect(new Set(shown.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]!.status).toBe(202);
    expect(await typesOf(id)).toEqual(['UserRegistered', 'PasswordResetRequested']);
  });
});

describe('a reset', () => {
  it('replaces the password, ends every session and logs nobody in', async () => {
    const { email, id, tokens, link } = await asked();
    const answer = await reset(link);
    expect([answer.status, answer.body]).toEqual([204, undefined]);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await api.verify(tokens.access_token)).toBe(401);
    expect((await api.refresh(tokens.refresh_token)).body.code).toBe('session_ended');
    expect((await logIn(email, testPassword)).status).toBe(401);
    const { body } = await logIn(email, newPassword);
    expect(body.user).toMatchObject({ id, email_verified: true });
  });

  it('works once', async () => {
    const { link } = await asked();
    expect((await reset(link)).status).toBe(204);
    expect((await reset(link)).body.code).toBe('invalid_token');
  });

  it('refuses a password by the rules, and the link stays good', async () => {
    const { email, link } = await asked();
    const refused = await reset(link, email);
    expect([refused.status, refused.body.code]).toEqual([422, 'password_refused']);
    expect((await reset(link)).status).toBe(204);
  });

  // Fails when the rules are told before the link is looked at.
  it('takes no other text for a link', async () => {
    const { id, email, link } = await asked();
    await post('/auth/verify-email/request', { email });
    const verification = await linkInMail(api.node, id, 'verification');
    const flipped = Buffer.from(link, 'base64url');
    flipped[63]! ^= 1;
    const others = [verification, flipped.toString('base64url'), `${link}A`, '', 'x', '\0'];
    for (const token of others) {
      expect((await reset(token, 'short')).body.code, token).toBe('invalid_token');
    }
    expect((await reset(link)).status).toBe(204);
  });

  it('dies with a later password, and with a disabled user', async () => {
    const changed = await asked();
    const body = { current_password: testPassword, new_password: newPassword };
    await post('/auth/password', body, changed.tokens.access_token);
    expect((await reset(changed.link)).status).toBe(401);

    const disabled = await asked();
    const token = (await api.admin()).access_token;
    await api.call('POST', `/admin/users/${disabled.id}/disable`, { token });
    await api.call('POST', `/admin/users/${disabled.id}/enable`, { token });
    expect((await reset(disabled.link)).status).toBe(401);
  });

  it('is given to a locked user, whose younger lock stays', async () => {
    const { id, email, link } = await asked();
    for (let n = 0; n < 10; n += 1) await logIn(email, 'not the right password');
    expect((await reset(link)).status).toBe(204);
    expect((await logIn(email, newPassword)).status).toBe(401);
    const token = (await api.admin()).access_token;
    await api.call('POST', `/admin/users/${id}/unlock`, { token });
    expect((await logIn(email, newPassword)).status).toBe(200);
  });

  it('gives a password to a user who lost it with the first proof', async () => {
    const { email, id } = await api.register();
    const request_id = await askForCode(api, email);
    await post('/auth/login', { request_id, otp: await codeInMail(api.node, request_id) });
    await post('/auth/password/forgot', { email });
    expect((await reset(await linkInMail(api.node, id, 'reset'))).status).toBe(204);
    expect((await logIn(email, newPassword)).status).toBe(200);
  });

  // Fails when a code outlives the password that it was asked for under.
  it('ends a code that is on its way', async () => {
    const { email, link } = await asked();
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    await reset(link);
    expect((await post('/auth/login', { request_id, otp })).status).toBe(401);
  });
});
