import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findUserByEmail } from '../../../src/app/user/find-user-by-email.ts';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { challengeOf, complete, enrol } from '../../support/authenticator.ts';
import { askForCode, codeInMail, linkInMail } from '../../support/mail-proofs.ts';
import { withClient } from '../../support/postgres.ts';

/**
 * Sudhodanan and Paverd, "Pre-hijacked accounts" (USENIX Security 2022): an attacker makes an
 * account with the victim's address before the victim does, and waits. In each, the victim proves
 * the address, and then the attacker tries what was prepared.
 */
let api: TestApi;
/** Where it is not yet known who reads the mails to an address. */
let withoutMail: TestApi;
beforeAll(async () => {
  api = await startTestApi({
    SMTP_URL: 'smtp://127.0.0.1:25',
    MAIL_FROM: 'latchkey@example.com',
    DEVICE_POLICY_WEB: 'unlimited',
  });
  withoutMail = await api.anotherNode({ SMTP_URL: '', MAIL_FROM: '' });
});
afterAll(() => api.stop());

const attackersPassword = 'a password of the attacker';
const victimsPassword = 'a password of the victim';

const post = (path: string, body: unknown, token?: string) =>
  api.call('POST', path, { body, ...(token === undefined ? {} : { token }) });

/** The attacker's account with the victim's address, and a session of it. */
async function prepared() {
  const email = anEmail();
  await post('/auth/register', { email, password: attackersPassword });
  const id = (await findUserByEmail(api.node, email))!.userId;
  const session = await api.logIn({ email, password: attackersPassword });
  return { email, id, session };
}

/** How many secrets of authenticator apps are kept. */
const secretsLeft = () =>
  withClient(api.database.ownerUrl, async (owner) => {
    const { rows } = await owner.query('select count(*)::int as n from latchkey.totp_secrets');
    return rows[0].n as number;
  });

type Prepared = Awaited<ReturnType<typeof prepared>>;

/** The ways in which a victim may come: each is a first proof of the address. */
const recoveries = {
  async 'by the link of the registration'({ email, id }: Prepared) {
    await post('/auth/register', { email, password: victimsPassword });
    const token = await linkInMail(api.node, id, 'verification');
    const body = { token, password: victimsPassword };
    expect((await post('/auth/verify-email', body)).status).toBe(204);
  },
  async 'by a code'({ email }: Prepared) {
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    expect((await post('/auth/login', { request_id, otp })).status).toBe(200);
  },
  async 'by a reset'({ email, id }: Prepared) {
    await post('/auth/password/forgot', { email });
    const token = await linkInMail(api.node, id, 'reset');
    const body = { token, new_password: victimsPassword };
    expect((await post('/auth/password/reset', body)).status).toBe(204);
  },
};

describe.each(Object.entries(recoveries))('a victim who comes %s', (_, recover) => {
  const passwordWorks = async (email: string) =>
    (await post('/auth/login', { email, password: attackersPassword })).status === 200;

  it('1, classic merge: the attacker’s password opens nothing', async () => {
    const account = await prepared();
    expect(await passwordWorks(account.email)).toBe(true);
    await recover(account);
    expect(await passwordWorks(account.email)).toBe(false);
  });

  it('2, unexpired session: none of the attacker’s tokens is good', async () => {
    const account = await prepared();
    const { refresh_token } = account.session;
    const refreshed = (await api.refresh(refresh_token)).body;
    await recover(account);
    expect(await api.verify(account.session.access_token)).toBe(401);
    expect(await api.verify(refreshed.access_token)).toBe(401);
    expect((await api.refresh(refresh_token)).status).toBe(401);
    expect((await api.refresh(refreshed.refresh_token)).status).toBe(401);
  });

  it('3, trojan identifier: nothing else that the attacker wrote is an identifier', async () => {
    const account = await prepared();
    const own = anEmail();
    const token = account.session.access_token;
    const patch = { phone_number: '+41 44 000 00 00', name: own };
    await api.call('PATCH', '/auth/me', { token, body: patch });
    await post('/auth/email/change', { new_email: own, password: attackersPassword }, token);
    await recover(account);
    const before = (await api.eventsOf(account.id)).length;
    for (const identifier of [own, patch.phone_number]) {
      await post('/auth/request-otp', { email: identifier });
      await post('/auth/password/forgot', { email: identifier });
      const body = { email: identifier, password: attackersPassword };
      expect((await post('/auth/login', body)).status).toBe(401);
    }
    expect(await api.eventsOf(account.id)).toHaveLength(before);
  });

  it('4, unexpired change of address: the link that waits confirms nothing', async () => {
    const account = await prepared();
    const token = account.session.access_token;
    const body = { new_email: anEmail(), password: attackersPassword };
    expect((await post('/auth/email/change', body, token)).status).toBe(202);
    const link = await linkInMail(api.node, account.id, 'email_change');
    await recover(account);
    const mine = await victimsToken(account);
    // Also with a session of the victim: the request died with the proof.
    for (const bearer of [token, mine]) {
      expect((await post('/auth/email/confirm', { token: link }, bearer)).status).toBe(401);
    }
    expect((await findUserByEmail(api.node, account.email))?.userId).toBe(account.id);
  });

  it('7, second factor: the attacker enrols none', async () => {
    const { session } = await prepared();
    const refused = await post('/auth/totp/enrol', {}, session.access_token);
    expect([refused.status, refused.body.errors[0].path]).toEqual([403, 'email']);
  });

  it('7, second factor from a time without mail: app, codes and open login are dead', async () => {
    const account = await prepared();
    const { email, id } = account;
    const token = account.session.access_token;
    const app = await enrol(withoutMail, token);
    const { body } = await post('/auth/totp/confirm', { totp: app.code() }, token);
    const challenge = await challengeOf(api, { email, password: attackersPassword });
    await recover(account);
    for (const factor of [{ totp: app.code(1) }, { recovery_code: body.recovery_codes[0] }]) {
      expect((await complete(api, { challenge, ...factor })).status).toBe(401);
    }
    // No factor stands in the victim's way.
    expect(await api.verify(await victimsToken(account))).toBe(204);
    const kept = await findUserByEmail(api.node, email);
    expect(kept?.state).toMatchObject({ totp: null, recoveryCodeHashes: null });
    expect((await api.eventsOf(id)).map(({ type }) => type)).not.toContain('TotpRemoved');
    expect(await secretsLeft()).toBe(0);
  });

  it('6, links, codes and devices from before: none is good', async () => {
    const account = await prepared();
    const { email, id } = account;
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    await post('/auth/password/forgot', { email });
    const link = await linkInMail(api.node, id, 'reset');
    const verification = await linkInMail(api.node, id, 'verification');
    await recover(account);
    // As if the attacker had read the victim's mail: they are dead all the same.
    expect((await post('/auth/login', { request_id, otp })).status).toBe(401);
    const reset = { token: link, new_password: attackersPassword };
    expect((await post('/auth/password/reset', reset)).status).toBe(401);
    expect((await post('/auth/verify-email', { token: verification })).status).toBe(401);
    // The device of the attacker is a stranger: ten failures lock it out with all others.
    const { device_token } = account.session;
    const guess = { email, password: 'not the right password', device_token };
    for (let n = 0; n < 10; n += 1) await post('/auth/login', guess);
    const types = (await api.eventsOf(id)).map(({ type }) => type);
    expect(types).toContain('UserLocked');
    expect(types).not.toContain('DeviceLocked');
  });
});

it('5, an identity that nobody verified: an address that waits is nobody’s', async () => {
  const victim = anEmail();
  const attacker = anEmail();
  await post('/auth/register', { email: attacker, password: attackersPassword });
  const { id } = { id: (await findUserByEmail(api.node, attacker))!.userId };
  const { access_token } = await api.logIn({ email: attacker, password: attackersPassword });
  const body = { new_email: victim, password: attackersPassword };
  await post('/auth/email/change', body, access_token);
  const link = await linkInMail(api.node, id, 'email_change');

  await post('/auth/register', { email: victim, password: victimsPassword });
  const victimsId = (await findUserByEmail(api.node, victim))!.userId;
  expect(victimsId).not.toBe(id);
  const proof = await linkInMail(api.node, victimsId, 'verification');
  await post('/auth/verify-email', { token: proof, password: victimsPassword });
  const mine = await api.logIn({ email: victim, password: victimsPassword });

  // The victim clicks the attacker's link, and then the attacker gets hold of it.
  expect((await post('/auth/email/confirm', { token: link }, mine.access_token)).status).toBe(401);
  expect((await post('/auth/email/confirm', { token: link }, access_token)).status).toBe(409);
  expect((await findUserByEmail(api.node, victim))?.userId).toBe(victimsId);
});

it('and the victim’s own password, repeated with the link, survives', async () => {
  const email = anEmail();
  await post('/auth/register', { email, password: testPassword });
  const { userId } = (await findUserByEmail(api.node, email))!;
  const token = await linkInMail(api.node, userId, 'verification');
  await post('/auth/verify-email', { token, password: testPassword });
  expect((await api.logIn({ email })).user.email_verified).toBe(true);
});

/** A session of the victim, after the first proof. */
async function victimsToken({ id, email }: Prepared): Promise<string> {
  const { state } = (await findUserByEmail(api.node, email))!;
  if (state.mailProofs?.open.otp === undefined) {
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    const { body } = await post('/auth/login', { request_id, otp });
    expect(body.user.id).toBe(id);
    return body.access_token;
  }
  throw new Error('a code is open');
}
