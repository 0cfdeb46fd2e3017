import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { decidedTogether, heldUpAt } from '../../support/held-streams.ts';
import { withClient } from '../../support/postgres.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

const newPassword = 'another long and ordinary sentence';

async function someone() {
  const { email, id } = await api.register();
  const here = await api.logIn({ email, device: 'desktop' });
  return { email, id, here, token: here.access_token as string };
}

function change(
  token: string,
  current_password: string,
  new_password: string = newPassword,
  node: Pick<TestApi, 'call'> = api,
) {
  return node.call('POST', '/auth/password', { token, body: { current_password, new_password } });
}

async function tryLogIn(email: string, password: string): Promise<number> {
  const { status } = await api.call('POST', '/auth/login', { body: { email, password } });
  return status;
}

describe('POST /auth/password', () => {
  it('replaces the password', async () => {
    const { email, token } = await someone();
    expect((await change(token, testPassword)).status).toBe(204);
    expect(await tryLogIn(email, testPassword)).toBe(401);
    expect(await tryLogIn(email, newPassword)).toBe(200);
  });

  // Fails when half a surrogate pair is compared as the replacement character that stands for it.
  it("counts a current password that can be nobody's as wrong", async () => {
    const email = 'ill-formed@example.com';
    const password = `${testPassword}\ufffd`;
    const body = { email, password };
    expect((await api.call('POST', '/auth/register', { body })).status).toBe(201);
    const { access_token } = await api.logIn(body);
    for (const wrong of [`${testPassword}\ud800`, `${testPassword}\0`]) {
      const refused = await change(access_token, wrong);
      expect([refused.status, refused.body.code]).toEqual([401, 'invalid_credentials']);
    }
    expect((await change(access_token, password)).status).toBe(204);
  });

  it('ends every other session, with the reason', async () => {
    const { email, token } = await someone();
    const phone = await api.logIn({ email, device: 'mobile' });
    await change(token, testPassword);
    expect(await api.verify(phone.access_token)).toBe(401);
    const refused = await api.refresh(phone.refresh_token);
    expect([refused.status, refused.body.code]).toEqual([401, 'session_ended']);
    const ended = (await api.eventsOf(phone.session.id)).at(-1)!;
    expect([ended.type, ended.data.reason]).toEqual(['SessionRevoked', 'password_changed']);
  });

  // Fails when the change does not guard its user: it has read the sessions before the login.
  it('ends a session that began between its read and its append, too', async () => {
    const { email, id, token } = await someone();
    const phone = await api.logIn({ email, device: 'mobile' });
    // One node does one thing at a time for a user.
    const other = await api.anotherNode();
    const { status } = await heldUpAt(api.database, phone.session.id, {
      work: () => change(token, testPassword),
      meanwhile: () => other.logIn({ email, device: 'web' }),
    });
    expect(status).toBe(204);
    const sessions = await withClient(api.database.ownerUrl, (owner) =>
      owner.query(`select device_type, end_reason from latchkey.sessions where user_id = $1`, [id]),
    );
    expect(sessions.rows).toHaveLength(3);
    expect(sessions.rows).toContainEqual({ device_type: 'desktop', end_reason: null });
    expect(sessions.rows).toContainEqual({ device_type: 'web', end_reason: 'password_changed' });
  });

  it('leaves this session alive: its token is stale, a refresh gives a good one', async () => {
    const { here, token } = await someone();
    await change(token, testPassword);
    const stale = await api.call('GET', '/auth/me', { token });
    expect([stale.status, stale.body.code]).toEqual([401, 'token_stale']);
    const refreshed = await api.refresh(here.refresh_token);
    expect(refreshed.status).toBe(200);
    expect(await api.verify(refreshed.body.access_token)).toBe(204);
  });

  it('refuses the wrong present password as a login does, and counts it', async () => {
    const { id, email, token } = await someone();
    const refused = await change(token, 'not the present password');
    expect([refused.status, refused.body.code]).toEqual([401, 'invalid_credentials']);
    expect((await api.eventsOf(id)).at(-1)!.type).toBe('PasswordCheckFailed');
    expect(await tryLogIn(email, testPassword)).toBe(200);
  });

  // The session counts apart, as a known device does: its thief does not lock the owner out.
  it('locks this session after ten wrong ones: then the right one is refused too', async () => {
    const { email, token } = await someone();
    for (let n = 0; n < 10; n += 1) await change(token, `wrong password number ${n}`);
    expect((await change(token, testPassword)).status).toBe(401);
    expect(await tryLogIn(email, testPassword)).toBe(200);
  });

  it('clears the count of failures with the same transaction', async () => {
    const { id, token } = await someone();
    await change(token, 'not the present password');
    await change(token, testPassword);
    const types = (await api.eventsOf(id)).map(({ type }) => type);
    expect(types.slice(-3)).toEqual(['FailedChecksCleared', 'PasswordChanged', 'UserEpochRaised']);
  });

  it('makes tokens stale on other nodes too', async () => {
    const { email, token } = await someone();
    const other = await api.anotherNode();
    await change(token, 'not the present password');
    await change(token, testPassword);
    await expect.poll(() => other.verify(token)).toBe(401);
    expect(await tryLogIn(email, newPassword)).toBe(200);
  });

  it('refuses a new password that breaks the rules, with the reasons', async () => {
    const { token } = await someone();
    const refused = await change(token, testPassword, 'short');
    expect([refused.status, refused.body.code]).toEqual([422, 'password_refused']);
    expect(refused.body.reasons.length).toBeGreaterThan(0);
  });

  it('never answers a refusal before the floor', async () => {
    const slow = await startTestApi({ LOGIN_FLOOR_MS: '300' });
    const { email } = await slow.register();
    const { access_token: token } = await slow.logIn({ email });
    const body = { current_password: 'not the present password', new_password: newPassword };
    const startedAt = performance.now();
    const { status } = await slow.call('POST', '/auth/password', { token, body });
    const tookMs = performance.now() - startedAt;
    await slow.stop();
    expect(status).toBe(401);
    expect(tookMs).toBeGreaterThanOrEqual(300);
  });

  it('of two changes at once, one counts and the other is refused', async () => {
    const { email, id, token } = await someone();
    const other = await api.anotherNode();
    const answers = await decidedTogether(api.database, [id], () => [
      change(token, testPassword, 'the first new password of two'),
      change(token, testPassword, 'the second new password of two', other),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
    expect(await tryLogIn(email, testPassword)).toBe(401);
  });
});
