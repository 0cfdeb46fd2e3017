import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPersonalData } from '../../../src/platform/crypto/subject-cipher.ts';
import { findUser } from '../../../src/tables/user.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0', TRUSTED_PROXIES: '127.0.0.1/32' });
});
afterAll(() => api.stop());

const from = (ip: string, userAgent: string) => ({
  'x-forwarded-for': ip,
  'user-agent': userAgent,
});
/** The events of a stream with what they seal under the user's key. */
async function opened(streamId: string, userId: string) {
  const user = await findUser(api.node.cells.home.readers, userId);
  const key = await api.node.subjectKeys.unwrap(userId, user!.subjectKey!);
  return (await api.eventsOf(streamId)).map(({ type, data, pii, meta }) => ({
    type,
    pii: pii === null ? null : openPersonalData(key, userId, pii),
    plain: JSON.stringify({ data, meta }),
  }));
}

describe('where a request came from', () => {
  // Fails when the failure's event has no pii, or has it in `data`.
  it('C7: is sealed in failed logins and in the lock', async () => {
    const { id, email } = await api.register();
    const headers = from('203.0.113.9', 'curl/8');
    for (let count = 0; count < 10; count += 1) {
      await api.call('POST', '/auth/login', { body: { email, password: 'a wrong one' }, headers });
    }
    const events = (await opened(id, id)).slice(1);
    expect(events.map(({ type }) => type).slice(-2)).toEqual(['PasswordCheckFailed', 'UserLocked']);
    for (const { pii, plain } of events) {
      expect(pii).toEqual({ ip: '203.0.113.9', user_agent: 'curl/8' });
      expect(plain).not.toContain('203.0.113.9');
    }
  });

  it('C7: is sealed in a failed change of the password and in a device lock', async () => {
    const { id, email } = await api.register();
    const headers = from('203.0.113.10', 'phone');
    const { access_token: token } = await api.logIn({ email, headers });
    const body = { current_password: 'a wrong one', new_password: 'some entirely other sentence' };
    for (let count = 0; count < 10; count += 1) {
      await api.call('POST', '/auth/password', { token, body, headers });
    }
    const events = (await opened(id, id)).slice(-2);
    expect(events).toMatchObject([
      { type: 'PasswordCheckFailed', pii: { ip: '203.0.113.10', user_agent: 'phone' } },
      { type: 'DeviceLocked', pii: { ip: '203.0.113.10', user_agent: 'phone' } },
    ]);
  });

  it('C7: is sealed in a refresh when it has changed, and the session shows it', async () => {
    const { id, email } = await api.register();
    const home = from('198.51.100.1', 'browser 1');
    const cafe = from('203.0.113.7', 'browser 1');
    const first = await api.logIn({ email, headers: home });
    const second = (await api.refresh(first.refresh_token, home)).body;
    const third = (await api.refresh(second.refresh_token, cafe)).body;
    const fourth = (await api.refresh(third.refresh_token, cafe)).body;

    const events = await opened(fourth.session.id, id);
    expect(events.map(({ pii }) => pii?.ip ?? null)).toEqual([
      '198.51.100.1',
      null,
      '203.0.113.7',
      null,
    ]);
    expect(events[2]!.plain).not.toContain('203.0.113.7');
    const { sessions } = (await api.call('GET', '/auth/sessions', { token: fourth.access_token }))
      .body;
    expect(sessions[0]).toMatchObject({ ip: '203.0.113.7', device: first.session.device });
  });

  it('C7: is sealed in the detection of a reuse', async () => {
    const { id, email } = await api.register();
    const first = await api.logIn({ email });
    const second = (await api.refresh(first.refresh_token)).body;
    await api.refresh(second.refresh_token);
    const thief = await api.refresh(first.refresh_token, from('203.0.113.66', 'thief'));
    expect(thief.body.code).toBe('session_ended');

    const events = await opened(first.session.id, id);
    expect(events.at(-2)).toMatchObject({
      type: 'RefreshTokenReuseDetected',
      pii: { ip: '203.0.113.66', user_agent: 'thief' },
    });
  });
});
