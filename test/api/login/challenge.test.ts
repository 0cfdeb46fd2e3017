import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEmail, type TestApi, testPassword } from '../../support/api.ts';
import {
  challengeOf,
  complete,
  type StoppedApi,
  startStoppedApi,
  type TwoFactorUser,
  twoFactorUser,
} from '../../support/authenticator.ts';
import { provenCall, TestDevice } from '../../support/dpop.ts';
import { linkInMail } from '../../support/mail-proofs.ts';
import { withClient } from '../../support/postgres.ts';

let api: TestApi;
let clock: StoppedApi['clock'];
beforeAll(async () => {
  ({ api, clock } = await startStoppedApi());
});
afterAll(() => api.stop());

describe('a challenge', () => {
  const open = async (fields: object = {}) => {
    const user = await twoFactorUser(api);
    const body = { email: user.email, password: testPassword, ...fields };
    return { ...user, challenge: await challengeOf(api, body) };
  };
  const codeOf = async (answer: ReturnType<typeof complete>) => (await answer).body.code;

  it('is refused after five wrong codes, and with a right one then', async () => {
    const { app, challenge } = await open();
    for (let count = 0; count < 5; count += 1) {
      const answer = complete(api, { challenge, totp: app.wrongCode() });
      expect(await codeOf(answer)).toBe('invalid_credentials');
    }
    expect(await codeOf(complete(api, { challenge, totp: app.code(1) }))).toBe('invalid_token');
  });

  it('is good once', async () => {
    const { app, challenge, recoveryCodes } = await open();
    expect((await complete(api, { challenge, totp: app.code(1) })).status).toBe(200);
    const again = { challenge, recovery_code: recoveryCodes[0] };
    expect(await codeOf(complete(api, again))).toBe('invalid_token');
  });

  it('expires after five minutes', async () => {
    const { api: own, clock: time } = await startStoppedApi();
    const { email, app } = await twoFactorUser(own);
    const challenge = await challengeOf(own, { email, password: testPassword });
    time.advance(300);
    expect(await codeOf(complete(own, { challenge, totp: app.code() }))).toBe('invalid_token');
    await own.stop();
  });

  // Fails when one of these is left out of what is sealed or compared.
  it.each([
    { name: 'another type of device', first: {}, second: { device: { type: 'mobile' } } },
    { name: 'another transport', first: { transport: 'cookie' }, second: {} },
    { name: 'another audience', first: {}, second: { audience: 'http://latchkey.test' } },
    { name: 'another known device', first: {}, second: { device_token: 'this user’s' } },
  ])('is for its own request: not for $name', async ({ name, first, second }) => {
    const node = name === 'another audience' ? await withOtherAudience() : api;
    const user = await twoFactorUser(node);
    const headers = { origin: 'http://latchkey.test' };
    const body = { email: user.email, password: testPassword, ...first };
    const asked = await node.call('POST', '/auth/login', { body, headers });
    const { challenge } = asked.body;
    const known =
      name === 'another known device' ? { device_token: await deviceTokenOf(user) } : {};
    const answer = { challenge, recovery_code: user.recoveryCodes[0], ...second, ...known };
    const code = await node.call('POST', '/auth/login', { body: answer, headers });
    expect(code.body.code).toBe('invalid_token');
    const right = { challenge, recovery_code: user.recoveryCodes[0], ...first };
    expect((await node.call('POST', '/auth/login', { body: right, headers })).status).toBe(200);
  });

  async function withOtherAudience(): Promise<TestApi> {
    const node = await api.anotherNode({ DEFAULT_AUDIENCE: 'https://shop.test' });
    Object.assign(node.node, { now: () => clock.now });
    return node;
  }

  async function deviceTokenOf({ email, recoveryCodes }: TwoFactorUser): Promise<string> {
    const challenge = await challengeOf(api, { email, password: testPassword });
    const body = { challenge, recovery_code: recoveryCodes[9] };
    return (await complete(api, body)).body.device_token;
  }

  it('is for its client, which proves its secret again', async () => {
    const { access_token: token } = await api.admin();
    const body = { name: 'shop', first_party: true, audiences: ['http://latchkey.test'] };
    const { body: client } = await api.call('POST', '/admin/clients', { token, body });
    const { client_id, client_secret } = client;
    const { challenge, recoveryCodes } = await open({ client_id, client_secret });
    const second = { challenge, recovery_code: recoveryCodes[0] };
    expect(await codeOf(complete(api, second))).toBe('invalid_token');
    expect(await codeOf(complete(api, { ...second, client_id }))).toBe('invalid_client');
    const { status } = await complete(api, { ...second, client_id, client_secret });
    expect(status).toBe(200);
  });

  it('is for the key that the first request has proved', async () => {
    const user = await twoFactorUser(api);
    const [owner, thief] = [new TestDevice(), new TestDevice()];
    const logIn = (device: TestDevice, body: object) =>
      provenCall(api, device, ['POST', '/auth/login'], { body });
    const first = { email: user.email, password: testPassword };
    const { challenge } = (await logIn(owner, first)).body;
    const second = { challenge, recovery_code: user.recoveryCodes[0] };
    expect(await codeOf(complete(api, second))).toBe('invalid_token');
    expect((await logIn(thief, second)).body.code).toBe('invalid_token');
    expect((await logIn(owner, second)).body).toMatchObject({ token_type: 'DPoP' });
  });

  it('is dead once the user is disabled, also when enabled again', async () => {
    const { id, app, challenge } = await open();
    const { access_token: token } = await api.admin();
    for (const verb of ['disable', 'enable']) {
      await api.call('POST', `/admin/users/${id}/${verb}`, { token });
    }
    expect(await codeOf(complete(api, { challenge, totp: app.code(1) }))).toBe('invalid_token');
  });

  // Fails when the challenge forgets which address it is of.
  it('is dead once the address has changed', async () => {
    const { id, email, recoveryCodes, refreshToken } = await twoFactorUser(api, 'desktop');
    const challenge = await challengeOf(api, { email, password: testPassword });
    const token = (await api.refresh(refreshToken)).body.access_token;
    const post = (path: string, body: object) => api.call('POST', path, { token, body });
    await post('/auth/email/change', { new_email: anEmail(), password: testPassword });
    const link = await linkInMail(api.node, id, 'email_change');
    expect((await post('/auth/email/confirm', { token: link })).status).toBe(204);
    const second = { challenge, recovery_code: recoveryCodes[0] };
    expect(await codeOf(complete(api, second))).toBe('invalid_token');
  });

  // Fails when the second step forgets which device asks: strangers would lock it out.
  it('of a known device goes on while strangers have locked the user', async () => {
    const user = await twoFactorUser(api);
    const device_token = await deviceTokenOf(user);
    const first = { email: user.email, password: testPassword };
    const challenge = await challengeOf(api, { ...first, device_token });
    const stranger = await challengeOf(api, first);
    for (let count = 0; count < 10; count += 1) {
      await api.call('POST', '/auth/login', { body: { ...first, password: 'not it at all' } });
    }
    const [code, other] = user.recoveryCodes;
    const locked = complete(api, { challenge: stranger, recovery_code: other });
    expect(await codeOf(locked)).toBe('invalid_credentials');
    const own = await complete(api, { challenge, recovery_code: code, device_token });
    expect(own.status).toBe(200);
  });

  it('carries the better hash of a password that came from elsewhere', async () => {
    const user = await twoFactorUser(api);
    const hash = () =>
      withClient(api.database.ownerUrl, async (owner) => {
        const { rows } = await owner.query(
          'select hash from latchkey.password_hashes where user_id = $1',
          [user.id],
        );
        return rows[0].hash as string;
      });
    const before = await hash();
    const stronger = await api.anotherNode({ PASSWORD_HASH_MEMORY_KIB: '16' });
    Object.assign(stronger.node, { now: () => clock.now });
    const challenge = await challengeOf(stronger, { email: user.email, password: testPassword });
    expect(await hash()).toBe(before);
    await complete(stronger, { challenge, recovery_code: user.recoveryCodes[0] });
    expect(await hash()).toContain('m=16,');
  });

  // Fails when the codes of an app are free, or a refused one is in no figure.
  it('is tried at the price of a wrong password, and counted', async () => {
    const limited = await api.anotherNode({ RATE_LIMITS: 'on' });
    Object.assign(limited.node, { now: () => clock.now });
    const { app, email } = await open();
    const challenges: string[] = [];
    for (let count = 0; count < 8; count += 1) {
      challenges.push(await challengeOf(api, { email, password: testPassword }));
    }
    const answers: string[] = [];
    for (const challenge of challenges) {
      for (let count = 0; count < 4; count += 1) {
        answers.push(await codeOf(complete(limited, { challenge, totp: app.wrongCode() })));
      }
    }
    const tries = answers.indexOf('rate_limited');
    expect(tries).toBeGreaterThan(0);
    expect(new Set(answers.slice(0, tries))).toEqual(new Set(['invalid_credentials']));
    expect(new Set(answers.slice(tries))).toEqual(new Set(['rate_limited']));
    const { values } = await limited.node.metrics.secondFactors.get();
    const refused = values.find(({ labels }) => labels.outcome === 'refused');
    expect(refused).toMatchObject({ labels: { factor: 'totp' }, value: tries });
  });

  it('is good for nothing else, and nothing else is a challenge', async () => {
    const { challenge, refreshToken, app } = await open();
    expect((await api.refresh(challenge)).status).toBe(401);
    expect(await api.verify(challenge)).toBe(401);
    for (const other of [refreshToken, `${challenge}x`, challenge.slice(0, -1), 'lkc_', '']) {
      const answer = complete(api, { challenge: other ?? '', totp: app.code(1) });
      expect(await codeOf(answer), other).toBe('invalid_token');
    }
  });

  it('says nothing to who reads it', async () => {
    const { id, email, challenge } = await open();
    const bytes = Buffer.from(challenge.slice(4), 'base64url').toString('latin1');
    for (const text of [id, email, 'pwd', 'web']) expect(bytes).not.toContain(text);
  });

  it('stands in place of the first factor, in one request with the second', async () => {
    const { email, challenge, app } = await open();
    const totp = app.code(1);
    for (const body of [
      { challenge },
      { totp },
      { email, totp },
      { challenge, totp, email },
      { challenge, totp, password: testPassword },
      { challenge, totp, recovery_code: 'x' },
      {},
      { email },
    ]) {
      expect((await complete(api, body)).status, JSON.stringify(body)).toBe(400);
    }
  });
});
