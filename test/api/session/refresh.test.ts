import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  decodeRefreshToken,
  encodeRefreshToken,
} from '../../../src/domain/session/refresh-token.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
let now = Date.now();
beforeAll(async () => {
  api = await startTestApi({ SESSION_IDLE_SECONDS: '50000' });
  Object.assign(api.node, { now: () => now });
});
beforeEach(() => {
  now = Date.now();
});
afterAll(() => api.stop());

async function newSession(device = 'web') {
  const { email, id } = await api.register();
  const issued = await api.logIn({ email, device });
  const sessionId = issued.session.id as string;
  const types = async () => (await api.eventsOf(sessionId)).map(({ type }) => type);
  return { userId: id, email, sessionId, issued, token: issued.refresh_token as string, types };
}
const successorOf = async (token: string, headers = {}) => {
  const { status, body } = await api.refresh(token, headers);
  expect(status, JSON.stringify(body)).toBe(200);
  return body.refresh_token as string;
};
const codeOf = async (token: string, headers = {}) => (await api.refresh(token, headers)).body.code;
const started = 'SessionStarted';
const refreshed = 'SessionRefreshed';
const reused = ['RefreshTokenReuseDetected', 'SessionRevoked'];

describe('a refresh', () => {
  it('gives a new pair, and the old access token stays good until it expires', async () => {
    const { issued, token, types } = await newSession();
    const { body } = await api.refresh(token);
    expect(body.refresh_token).not.toBe(token);
    expect(await api.verify(issued.access_token)).toBe(204);
    expect(await api.verify(body.access_token)).toBe(204);
    expect(body.session.id).toBe(issued.session.id);
    expect(await types()).toEqual([started, refreshed]);
  });

  it('names the same token again in `jti` when one generation is answered twice', async () => {
    const { token } = await newSession();
    const jti = async () => {
      const { body } = await api.refresh(token);
      return JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString()).jti;
    };
    expect(await jti()).toBe(await jti());
  });

  // Fails when a rotation moves `expiresAt`, or when the access token of an answer that is repeated
  // lives as long as that of the first answer.
  it('never moves the absolute end, at which the session ends', async () => {
    const { issued, token, types } = await newSession();
    const end = Date.parse(issued.session.expires_at);
    let current = token;
    while (now + 40_000_000 < end) {
      now += 40_000_000;
      const { body } = await api.refresh(current);
      expect(body.session.expires_at).toBe(issued.session.expires_at);
      expect(body.refresh_expires_in).toBe(Math.floor((end - now) / 1000));
      current = body.refresh_token;
    }
    now = end - 10_000;
    const last = await api.refresh(current);
    expect(last.body.expires_in).toBeLessThanOrEqual(10);
    now = end - 5_000;
    expect((await api.refresh(current)).body.expires_in).toBeLessThanOrEqual(5);
    now = end;
    expect(await codeOf(last.body.refresh_token)).toBe('session_ended');
    expect((await types()).at(-1)).toBe('SessionExpired');
  });

  it('comes too late after the idle time', async () => {
    const { token, types } = await newSession();
    now += 49_999_000;
    const next = await successorOf(token);
    now += 50_000_000;
    expect(await codeOf(next)).toBe('session_ended');
    expect(await types()).toEqual([started, refreshed, 'SessionExpired']);
  });
});

describe('the parent of the current token', () => {
  // Fails when the successor is drawn anew for a repeat, or when the grace window is not looked at.
  it('within 30 s gets the very same successor, and no event', async () => {
    const { token, types } = await newSession();
    const successor = await successorOf(token);
    now += 30_000;
    expect(await successorOf(token)).toBe(successor);
    expect(await types()).toEqual([started, refreshed]);
  });

  it('after 30 s is reuse: the session ends, and both are in the log', async () => {
    const { issued, token, types } = await newSession();
    const successor = await successorOf(token);
    now += 30_001;
    expect(await codeOf(token)).toBe('session_ended');
    expect(await types()).toEqual([started, refreshed, ...reused]);
    expect(await codeOf(successor)).toBe('session_ended');
    expect(await api.verify(issued.access_token)).toBe(401);
  });

  // Fails when the key of the rotation is not kept, or when any key will do.
  it('with the Idempotency-Key of the rotation has no time limit, with another or none it does', async () => {
    const key = { 'idempotency-key': 'one' };
    const kept = await newSession();
    const successor = await successorOf(kept.token, key);
    now += 3_600_000;
    expect(await successorOf(kept.token, key)).toBe(successor);
    for (const headers of [{}, { 'idempotency-key': 'two' }]) {
      now = Date.now();
      const { token, types } = await newSession();
      await successorOf(token, key);
      now += 3_600_000;
      expect(await codeOf(token, headers)).toBe('session_ended');
      expect(await types()).toEqual([started, refreshed, ...reused]);
    }
  });

  // Fails when `older` is decided by time instead of by generation.
  it('is reuse at once when its successor has been used, also within one second', async () => {
    const { token, types } = await newSession();
    const second = await successorOf(token);
    const third = await successorOf(second);
    expect(await successorOf(second)).toBe(third);
    await successorOf(third);
    expect(await codeOf(token)).toBe('session_ended');
    expect(await types()).toEqual([started, refreshed, refreshed, refreshed, ...reused]);
  });

  it('as the grandparent inside the window ends the session', async () => {
    const { token, types } = await newSession();
    await successorOf(await successorOf(token));
    now += 1_000;
    expect(await codeOf(token, { 'idempotency-key': 'one' })).toBe('session_ended');
    expect(await types()).toEqual([started, refreshed, refreshed, ...reused]);
  });
});

describe('what is not the current token or its parent', () => {
  const ringOf = () => api.node.secrets.refreshMacKeys;
  const made = (sessionId: string, generation: number, secret: Buffer) => {
    const macKeyId = api.node.secrets.refreshMacKeyId;
    const macKey = ringOf().get(macKeyId)!;
    return encodeRefreshToken({ macKeyId, macKey, sessionId, generation, secret });
  };

  // Fails when `ahead` or `mismatch` falls through to reuse: a restored backup would log everybody out.
  it('a generation ahead of the log, or another secret, is refused and changes nothing', async () => {
    const { sessionId, token, types } = await newSession();
    const next = await successorOf(token);
    const { secret } = decodeRefreshToken(next, ringOf())!;
    for (const forged of [
      made(sessionId, 3, secret),
      made(sessionId, 4_294_967_295, secret),
      made(sessionId, 2, randomBytes(32)),
      made(sessionId, 1, randomBytes(32)),
      made('01900000-0000-7000-8000-000000000000', 1, secret),
    ]) {
      expect(await codeOf(forged)).toBe('invalid_token');
    }
    expect(await types()).toEqual([started, refreshed]);
    expect(await successorOf(next)).not.toBe(next);
  });

  // Fails when the MAC is not compared.
  it('a token with any character changed is refused and changes nothing', async () => {
    const { token, types } = await newSession();
    for (let at = 0; at < token.length; at += 1) {
      const other = token[at] === 'A' ? 'B' : 'A';
      const mutated = token.slice(0, at) + other + token.slice(at + 1);
      expect(await codeOf(mutated), `at ${at}`).toBe('invalid_token');
    }
    expect(await types()).toEqual([started]);
    await successorOf(token);
  });

  // Fails when a token is decoded leniently: a second spelling would be a second name for rate limits and logs.
  it('a second spelling of a good token is refused', async () => {
    const { token, types } = await newSession();
    const spellings = [
      `${token}=`,
      `${token}==`,
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      `${token}\0`,
      `${token}\udc00`,
      token.replace('lkr_', 'LKR_'),
      token.slice(4),
      token.replaceAll('-', '+').replaceAll('_', '/'),
      `${token}A`,
      token.slice(0, -1),
    ].filter((spelling) => spelling !== token);
    for (const spelling of spellings) expect(await codeOf(spelling)).toBe('invalid_token');
    expect(await types()).toEqual([started]);
  });

  it('any other text is a 401, however long', async () => {
    const texts = ['x', 'lkr_', '🗝', 'a.b.c', 'x'.repeat(10_000), 'lkr_\0', '\0', '\ud800'];
    for (const text of texts) {
      expect(await api.refresh(text)).toMatchObject({
        status: 401,
        body: { code: 'invalid_token' },
      });
    }
    expect(await api.refresh('')).toMatchObject({ status: 400 });
    expect(await api.call('POST', '/auth/refresh', { body: {} })).toMatchObject({ status: 400 });
    expect(await api.call('POST', '/auth/refresh')).toMatchObject({ status: 400 });
  });

  it('a badly shaped Idempotency-Key is a 400 and changes nothing', async () => {
    const { token, types } = await newSession();
    for (const key of ['', 'a b', 'x'.repeat(256), 'ü']) {
      expect(await api.refresh(token, { 'idempotency-key': key })).toMatchObject({ status: 400 });
    }
    expect(await types()).toEqual([started]);
  });
});

describe('a refresh for somebody who may no longer', () => {
  it('of a disabled user is `session_ended`, also after the user is enabled again', async () => {
    const { userId, token } = await newSession();
    const { access_token: admin } = await api.admin();
    await api.call('POST', `/admin/users/${userId}/disable`, { token: admin });
    expect(await codeOf(token)).toBe('session_ended');
    await api.call('POST', `/admin/users/${userId}/enable`, { token: admin });
    expect(await codeOf(token)).toBe('session_ended');
  });

  // Fails when the client's status is not looked at: its tokens would live as long as the session.
  it('of a disabled client is refused, and so are its access tokens', async () => {
    const { access_token: admin } = await api.admin();
    const made = await api.call('POST', '/admin/clients', {
      token: admin,
      body: { name: 'shop', first_party: true },
    });
    const { client_id, client_secret } = made.body;
    const { email } = await api.register();
    const issued = await api.logIn({ email, fields: { client_id, client_secret } });
    expect(await api.verify(issued.access_token)).toBe(204);
    await api.call('DELETE', `/admin/clients/${client_id}`, { token: admin });
    expect(await codeOf(issued.refresh_token)).toBe('invalid_token');
    expect(await api.verify(issued.access_token)).toBe(401);
  });
});
