import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findUserByEmail } from '../../../src/app/user/find-user-by-email.ts';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { linkInMail } from '../../support/mail-proofs.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ SMTP_URL: 'smtp://127.0.0.1:25', MAIL_FROM: 'latchkey@example.com' });
});
afterAll(() => api.stop());

const register = (email: string, fields: object = {}, headers: Record<string, string> = {}) =>
  api.call('POST', '/auth/register', {
    body: { email, password: testPassword, ...fields },
    headers,
  });
const idOf = async (email: string) => (await findUserByEmail(api.node, email))?.userId ?? null;
const typesOf = async (email: string) =>
  (await api.eventsOf((await idOf(email))!)).map(({ type }) => type);

async function proven() {
  const email = anEmail();
  await register(email);
  const id = (await idOf(email))!;
  const token = await linkInMail(api.node, id, 'verification');
  await api.call('POST', '/auth/verify-email', { body: { token, password: testPassword } });
  return { email, id };
}

describe('a registration where mail says the rest', () => {
  it('makes an unproven user and asks for the proof in one append', async () => {
    const email = anEmail();
    const { status, body } = await register(email);
    expect([status, body]).toEqual([202, undefined]);
    const events = await api.eventsOf((await idOf(email))!);
    expect(events.map(({ type }) => type)).toEqual([
      'UserRegistered',
      'EmailVerificationRequested',
    ]);
    expect(new Set(events.map(({ meta }) => meta.request_id)).size).toBe(1);
    const { user } = await api.logIn({ email });
    expect(user.email_verified).toBe(false);
  });

  it('is answered alike for known, proven and unknown addresses', async () => {
    const { email } = await proven();
    const unproven = anEmail();
    await register(unproven);
    const answers = [await register(email), await register(unproven), await register(anEmail())];
    const shown = answers.map(({ status, headers, body }) => [status, [...headers.keys()], body]);
    expect(new Set(shown.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  it('tells the user of a proven address, once an hour', async () => {
    const { email } = await proven();
    for (let n = 0; n < 3; n += 1) await register(email, { password: 'a password of a stranger' });
    expect((await typesOf(email)).filter((type) => type === 'RegistrationRepeated')).toHaveLength(
      1,
    );
    expect((await api.logIn({ email })).user.email).toBe(email);
  });

  it('says what is wrong with the body, for known addresses as for others', async () => {
    const { email } = await proven();
    for (const address of [email, anEmail()]) {
      const { status, body } = await register(address, { password: 'short' });
      expect([status, body.code]).toEqual([422, 'password_refused']);
    }
    expect((await register('no address')).status).toBe(400);
  });

  it('under one Idempotency-Key makes one user and sends one mail', async () => {
    const email = anEmail();
    const key = { 'idempotency-key': 'the-same' };
    for (const password of [testPassword, 'another long and ordinary sentence']) {
      expect((await register(email, { password }, key)).status).toBe(202);
    }
    expect(await typesOf(email)).toEqual(['UserRegistered', 'EmailVerificationRequested']);
  });

  // Fails when the key alone names the user: a second address under it would tell of the first.
  it('under a key that was used for another address, known or not, goes on', async () => {
    const { email } = await proven();
    for (const [n, first] of [email, anEmail()].entries()) {
      const key = { 'idempotency-key': `for-two-addresses-${n}` };
      const second = anEmail();
      await register(first, {}, key);
      expect((await register(second, {}, key)).status).toBe(202);
      expect(await typesOf(second)).toEqual(['UserRegistered', 'EmailVerificationRequested']);
    }
  });

  it('of one address twenty times at once makes one user', async () => {
    const email = anEmail();
    const other = await api.anotherNode();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        (n % 2 === 0 ? api : other).call('POST', '/auth/register', {
          body: { email, password: testPassword },
        }),
      ),
    );
    const statuses = answers.map(({ status }) => status).filter((status) => status !== 503);
    expect(new Set(statuses)).toEqual(new Set([202]));
    expect(await typesOf(email)).toEqual(['UserRegistered', 'EmailVerificationRequested']);
  });

  // Fails when a known address leaves the invite unused: its second use would tell.
  it('uses an invite up for a known address as for another', async () => {
    const { email } = await proven();
    const inviting = await api.anotherNode({ REGISTRATION: 'invite' });
    const token = (await inviting.admin()).access_token;
    for (const address of [email, anEmail()]) {
      const { body } = await inviting.call('POST', '/admin/invites', { token, body: {} });
      const { invite } = body;
      const at = (given: string) =>
        inviting.call('POST', '/auth/register', {
          body: { email: given, password: testPassword, invite },
        });
      expect((await at(address)).status).toBe(202);
      expect((await at(anEmail())).body.code).toBe('forbidden');
    }
  });
});
