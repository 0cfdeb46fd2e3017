import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../support/api.ts';
import {
  type ApiProcess,
  type ProcessAnswer,
  post,
  startApiProcess,
} from '../support/api-process.ts';
import { askForCode, codeInMail, linkInMail } from '../support/mail-proofs.ts';

const env = {
  KEK: `test:${randomBytes(32).toString('base64url')}`,
  DEVICE_POLICY_WEB: 'unlimited',
};

/** A node in this process, which knows what the mails say, and two processes beside it. */
let api: TestApi;
let nodes: ApiProcess[];
beforeAll(async () => {
  api = await startTestApi(env);
  const start = () => startApiProcess(api.database.appUrl, env);
  nodes = await Promise.all([start(), start()]);
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await api.stop();
});

const typesOf = async (id: string) => (await api.eventsOf(id)).map(({ type }) => type);
const timesIn = async (id: string, type: string) =>
  (await typesOf(id)).filter((each) => each === type).length;

/** The same request twenty times at once, over both processes. */
async function twentyTimes(path: string, body: unknown, headers: Record<string, string> = {}) {
  return Promise.all(
    Array.from({ length: 20 }, (_, n) => post(`${nodes[n % 2]!.url}${path}`, body, headers)),
  );
}

/**
 * At most one success, which is told unless it missed its deadline on a busy machine; and no answer
 * that is neither that nor a refusal.
 */
function expectOneAtMost(answers: readonly ProcessAnswer[], success: number, refusals: number[]) {
  const statuses = answers.map(({ status }) => status);
  for (const status of statuses) expect([success, 503, ...refusals]).toContain(status);
  const accepted = statuses.filter((status) => status === success).length;
  expect(accepted).toBeLessThanOrEqual(1);
  if (!statuses.includes(503)) expect(accepted).toBe(1);
}

// Each fails when it is used up in another append than the one that it is good for.
describe('twenty at once over two processes', () => {
  it.each([true, false])('begin one session with one code (first proof: %s)', async (isFirst) => {
    const { email, id } = await api.register();
    if (!isFirst) {
      const request_id = await askForCode(api, email);
      const body = { request_id, otp: await codeInMail(api.node, request_id) };
      expect((await api.call('POST', '/auth/login', { body })).status).toBe(200);
    }
    const consumed = await timesIn(id, 'OtpConsumed');
    const request_id = await askForCode(api, email);
    const otp = await codeInMail(api.node, request_id);
    const answers = await twentyTimes('/auth/login', { request_id, otp });
    expectOneAtMost(answers, 200, [401]);
    expect(await timesIn(id, 'OtpConsumed')).toBe(consumed + 1);
    const { rows } = await api.node.cells.home.readers.query({
      text: `select count(*)::integer as live from latchkey.sessions
        where user_id = $1 and status = 'live'`,
      values: [id],
    });
    expect(rows[0]!.live).toBe(isFirst ? 1 : 2);
  });

  it('reset one password with one link', async () => {
    const { email, id } = await api.register();
    await api.call('POST', '/auth/password/forgot', { body: { email } });
    const token = await linkInMail(api.node, id, 'reset');
    const body = { token, new_password: 'another long and ordinary sentence' };
    expectOneAtMost(await twentyTimes('/auth/password/reset', body), 204, [401]);
    expect(await timesIn(id, 'PasswordResetCompleted')).toBe(1);
  });

  it('prove one address with one link', async () => {
    const { email, id } = await api.register();
    await api.call('POST', '/auth/verify-email/request', { body: { email } });
    const token = await linkInMail(api.node, id, 'verification');
    const body = { token, password: testPassword };
    expectOneAtMost(await twentyTimes('/auth/verify-email', body), 204, [401]);
    expect(await timesIn(id, 'EmailVerified')).toBe(1);
  });

  it('change one address with one link', async () => {
    const { email, id } = await api.register();
    const { access_token } = await api.logIn({ email });
    const body = { new_email: anEmail() };
    await api.call('POST', '/auth/email/change', { token: access_token, body });
    const token = await linkInMail(api.node, id, 'email_change');
    const headers = { authorization: `Bearer ${access_token}` };
    expectOneAtMost(await twentyTimes('/auth/email/confirm', { token }, headers), 204, [401]);
    expect(await timesIn(id, 'EmailChanged')).toBe(1);
  });

  it('give one address to one of two users', async () => {
    const newEmail = anEmail();
    const asked = [];
    for (let n = 0; n < 2; n += 1) {
      const { email, id } = await api.register();
      const { access_token: bearer } = await api.logIn({ email });
      const body = { new_email: newEmail };
      await api.call('POST', '/auth/email/change', { token: bearer, body });
      asked.push({ bearer, token: await linkInMail(api.node, id, 'email_change') });
    }
    const answers = await Promise.all(
      asked.map(({ bearer, token }, n) =>
        post(
          `${nodes[n]!.url}/auth/email/confirm`,
          { token },
          { authorization: `Bearer ${bearer}` },
        ),
      ),
    );
    expectOneAtMost(answers, 204, [409]);
  });
});
