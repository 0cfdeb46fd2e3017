import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { challengeOf, complete, enrol } from '../../support/authenticator.ts';
import { anotherCode, askForCode, codeInMail } from '../../support/mail-proofs.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

const logIn = (fields: object, at: TestApi = api) =>
  at.call('POST', '/auth/login', { body: fields });
const typesOf = async (id: string) => (await api.eventsOf(id)).map(({ type }) => type);

/** A user whose address was proven by an earlier code. */
async function provenUser() {
  const user = await api.register();
  const request_id = await askForCode(api, user.email);
  const { body } = await logIn({ request_id, otp: await codeInMail(api.node, request_id) });
  return { ...user, tokens: body };
}

describe('a login with a code from a mail', () => {
  it('begins a session whose amr is otp', async () => {
    const { email, id } = await api.register();
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    const { status, body } = await logIn({ request_id, otp, device: { type: 'mobile' } });
    expect(status).toBe(200);
    expect(body.session).toMatchObject({ amr: ['otp'], device: { type: 'mobile' } });
    expect(body.user).toMatchObject({ id, email, email_verified: true });
    expect(await api.verify(body.access_token)).toBe(204);
    expect(await typesOf(id)).toEqual([
      'UserRegistered',
      'OtpRequested',
      'OtpConsumed',
      'EmailVerified',
      'UserEpochRaised',
    ]);
  });

  it('may be typed as people type', async () => {
    const { email } = await api.register();
    const request_id = await askForCode(api, email);
    const code = await codeInMail(api.node, request_id);
    const otp = ` ${code.slice(0, 3)}-${code.slice(3)}`;
    expect((await logIn({ request_id, otp })).status).toBe(200);
  });

  // Fails when a code is consumed outside the append of the login.
  it('works once', async () => {
    const { email } = await api.register();
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    expect((await logIn({ request_id, otp })).status).toBe(200);
    expect((await logIn({ request_id, otp })).body.code).toBe('invalid_credentials');
  });

  it('has a cookie, a client and an audience like any other login', async () => {
    const { email } = await api.register();
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    const headers = { 'sec-fetch-site': 'same-origin' };
    const body = { request_id, otp, transport: 'cookie' };
    const answer = await api.call('POST', '/auth/login', { body, headers });
    expect(answer.body.refresh_token).toBeUndefined();
    expect(answer.headers.getSetCookie().join()).toContain('__Host-latchkey_refresh=');
    const other = { request_id, otp, audience: 'https://elsewhere.example' };
    expect((await logIn(other)).status).toBe(400);
  });

  // Fails when a login by mail goes round the second factor.
  it('asks for the second factor of a user who has one, and is used up by then', async () => {
    const { email, tokens } = await provenUser();
    const app = await enrol(api, tokens.access_token);
    const body = { totp: app.code() };
    await api.call('POST', '/auth/totp/confirm', { token: tokens.access_token, body });
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);

    const challenge = await challengeOf(api, { request_id, otp });

    expect((await logIn({ request_id, otp })).body.code).toBe('invalid_credentials');
    const answer = await complete(api, { challenge, totp: app.code(1) });
    expect(answer.status).toBe(200);
    expect(answer.body.session.amr).toEqual(['otp', 'mfa']);
  });

  it('refuses a body that is neither, or both', async () => {
    const request_id = 'x';
    const bodies = [{}, { request_id }, { request_id, otp: '1', email: 'a@b.example' }];
    for (const body of bodies) expect((await logIn(body)).status).toBe(400);
  });
});

describe('a refused code', () => {
  it('looks the same, whatever is wrong', async () => {
    const { email } = await provenUser();
    const handle = await askForCode(api, email);
    const nobody = await askForCode(api, anEmail());
    const code = await codeInMail(api.node, handle);
    const answers = [
      await logIn({ request_id: handle, otp: anotherCode(code) }),
      await logIn({ request_id: nobody, otp: code }),
      await logIn({ request_id: `${handle}A`, otp: code }),
      await logIn({ request_id: '', otp: '' }),
      await logIn({ request_id: handle, otp: '\0' }),
      await logIn({ request_id: handle, otp: `${code}0` }),
      await logIn({ email, password: 'not the right password' }),
    ];
    const shown = answers.map(({ status, body: { request_id: _, ...body } }) => [status, body]);
    expect(new Set(shown.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
  });

  // Fails when a code is looked up by itself instead of by the request that it is for.
  it('of another request is refused and counted', async () => {
    const [one, other] = [await provenUser(), await provenUser()];
    const mine = await askForCode(api, one.email);
    const theirs = await askForCode(api, other.email);
    const otp = await codeInMail(api.node, theirs);
    expect((await logIn({ request_id: mine, otp })).status).toBe(401);
    const events = await api.eventsOf(one.id);
    expect(events.at(-1)?.type).toBe('OtpCheckFailed');
    expect((await logIn({ request_id: theirs, otp })).status).toBe(200);
  });

  it('is refused for good after five wrong ones', async () => {
    const { email } = await provenUser();
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    for (let n = 0; n < 5; n += 1) {
      await logIn({ request_id, otp: anotherCode(otp) });
    }
    expect((await logIn({ request_id, otp })).status).toBe(401);
  });

  // Fails when codes have a count of their own: five of each factor were ten.
  it('shares the count of wrong passwords, and a locked user has no good code', async () => {
    const { email, id } = await provenUser();
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    for (let n = 0; n < 8; n += 1) await logIn({ email, password: 'not the right password' });
    for (let n = 0; n < 2; n += 1) await logIn({ request_id, otp: anotherCode(otp) });
    expect((await typesOf(id)).at(-1)).toBe('UserLocked');
    expect((await logIn({ request_id, otp })).status).toBe(401);
    const admin = (await api.admin()).access_token;
    await api.call('POST', `/admin/users/${id}/unlock`, { token: admin });
    expect((await logIn({ request_id, otp })).status).toBe(200);
  });

  it('is that of a disabled user, also once the user is enabled again', async () => {
    const { email, id } = await provenUser();
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    const token = (await api.admin()).access_token;
    await api.call('POST', `/admin/users/${id}/disable`, { token });
    expect((await logIn({ request_id, otp })).status).toBe(401);
    await api.call('POST', `/admin/users/${id}/enable`, { token });
    expect((await logIn({ request_id, otp })).status).toBe(401);
  });
});

describe('a request for a code', () => {
  it('is answered alike for known and unknown addresses, and for a text that is none', async () => {
    const { email, id } = await provenUser();
    const before = (await api.eventsOf(id)).length;
    const answers = [];
    for (const text of [email, anEmail(), 'no address', '', email.toUpperCase()]) {
      answers.push(await api.call('POST', '/auth/request-otp', { body: { email: text } }));
    }
    const shown = answers.map(({ status, headers, body }) => [
      status,
      [...headers.keys()],
      Object.keys(body),
      body.request_id.length,
      body.expires_in,
    ]);
    expect(new Set(shown.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 202, body: { expires_in: 600 } });
    expect(new Set(answers.map(({ body }) => body.request_id)).size).toBe(5);
    // One event: the second spelling asks again within 30 s, and its handle names the open request.
    expect((await api.eventsOf(id)).slice(before).map(({ type }) => type)).toEqual([
      'OtpRequested',
    ]);
    const again = answers.at(-1)!.body.request_id;
    const otp = await codeInMail(api.node, answers[0]!.body.request_id);
    expect((await logIn({ request_id: again, otp })).status).toBe(200);
  });
});

describe('the first code', () => {
  // Fails when the first proof of an address leaves anything of whoever made the account.
  it('ends the password, the sessions and the devices from before', async () => {
    const { email, id } = await api.register();
    const before = await api.logIn({ email });
    const request_id = await askForCode(api, email);
    const { body } = await logIn({ request_id, otp: await codeInMail(api.node, request_id) });
    expect(await api.verify(before.access_token)).toBe(401);
    const refreshed = await api.refresh(before.refresh_token);
    expect(refreshed.body.code).toBe('session_ended');
    expect((await logIn({ email, password: testPassword })).status).toBe(401);
    const { rows } = await api.node.cells.home.readers.query({
      text: 'select 1 from latchkey.password_hashes where user_id = $1',
      values: [id],
    });
    expect(rows).toEqual([]);
    const ended = (await api.eventsOf(before.session.id)).at(-1);
    expect(ended?.data).toMatchObject({ reason: 'email_verified' });
    expect(await api.verify(body.access_token)).toBe(204);
  });

  it('is the only one that ends anything', async () => {
    const { email, tokens } = await provenUser();
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    await logIn({ request_id, otp, device: { type: 'mobile' } });
    expect(await api.verify(tokens.access_token)).toBe(204);
  });
});
