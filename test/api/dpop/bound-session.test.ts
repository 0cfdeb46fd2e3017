import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import {
  athOf,
  boundSession,
  provenCall,
  provenRefresh,
  TestDevice,
  testIssuer,
} from '../../support/dpop.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

const logInWith = (device: TestDevice, email: string, parts: object = {}) =>
  api.call('POST', '/auth/login', {
    body: { email, password: testPassword },
    headers: { dpop: device.proof('POST', `${testIssuer}/auth/login`, parts) },
  });

describe('a login with a proof', () => {
  it('binds the session: the token says to which key, and how it is sent', async () => {
    const { device, tokens } = await boundSession(api);
    expect(tokens.token_type).toBe('DPoP');
    expect(decodeJwt(tokens.access_token)).toMatchObject({ cnf: { jkt: device.jkt } });
    const [started] = await api.eventsOf(tokens.session.id);
    expect(started).toMatchObject({
      type: 'SessionStarted',
      data: { deviceKey: { kind: 'dpop', jkt: device.jkt, jwk: device.jwk } },
    });
  });

  it('is asked for a nonce first, before its password, and without the floor', async () => {
    const device = new TestDevice();
    const { email } = await api.register();
    const first = await logInWith(device, email);
    expect([first.status, first.body.code]).toEqual([401, 'use_dpop_nonce']);
    expect(first.headers.get('www-authenticate')).toBe(
      'DPoP realm="latchkey", error="use_dpop_nonce", algs="ES256 Ed25519 EdDSA PS256 RS256"',
    );
    device.nonce = first.headers.get('dpop-nonce')!;
    expect((await logInWith(device, email)).status).toBe(200);
  });

  // Fails when the guard before the floor and the budget checks all of the proof: then each login
  // costs two checks of a signature, and the first of them is free for strangers.
  it('has its proof checked once, and not at all to be asked for a nonce', async () => {
    const { email } = await api.register();
    const device = new TestDevice();
    const check = vi.spyOn(api.node.proofs, 'check');
    const take = vi.spyOn(api.node.rateLimits, 'take');
    try {
      device.nonce = (await logInWith(device, email)).headers.get('dpop-nonce')!;
      expect([check.mock.calls.length, take.mock.calls.length]).toEqual([0, 0]);
      expect((await logInWith(device, email)).status).toBe(200);
      expect(check.mock.calls.length).toBe(1);
      take.mockClear();
      expect((await logInWith(device, email, { claims: { htm: 'GET' } })).status).toBe(401);
      expect(take.mock.calls[0]?.[0]).toBe('login');
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('is refused with a bad proof, and leaves no session', async () => {
    const device = new TestDevice();
    const { email } = await api.register();
    device.nonce = (await logInWith(device, email)).headers.get('dpop-nonce')!;
    for (const claims of [
      { htm: 'GET' },
      { htu: `${testIssuer}/auth/refresh` },
      { htu: `${api.url}/auth/login` },
      { iat: 1 },
    ]) {
      const { status, body, headers } = await logInWith(device, email, { claims });
      expect([status, body.code], JSON.stringify(claims)).toEqual([401, 'invalid_dpop_proof']);
      expect(headers.get('www-authenticate')).toMatch(/^DPoP .*error="invalid_dpop_proof"/);
    }
    const { access_token: token } = await api.logIn({ email });
    const { body } = await api.call('GET', '/auth/sessions', { token });
    expect(body.sessions).toHaveLength(1);
  });

  it('takes each algorithm that the challenge names', async () => {
    for (const alg of ['ES256', 'Ed25519', 'EdDSA', 'PS256', 'RS256'] as const) {
      const { tokens } = await boundSession(api, new TestDevice(alg));
      expect(tokens.token_type, alg).toBe('DPoP');
    }
  });

  it('answers below /api/auth for proofs that name that address', async () => {
    const device = new TestDevice();
    const { email } = await api.register();
    const body = { email, password: testPassword };
    const answer = await provenCall(api, device, ['POST', '/api/auth/login'], { body });
    expect(answer.body.token_type).toBe('DPoP');
  });

  it('without a proof stays as it was', async () => {
    const { email } = await api.register();
    const tokens = await api.logIn({ email });
    expect(tokens.token_type).toBe('Bearer');
    expect(decodeJwt(tokens.access_token)).not.toHaveProperty('cnf');
  });
});

describe('a bound access token', () => {
  const me = ['GET', '/auth/me'] as const;

  it('is good under the scheme DPoP, with a proof for the request', async () => {
    const { device, tokens } = await boundSession(api);
    const answer = await provenCall(api, device, me, { boundToken: tokens.access_token });
    expect(answer.status).toBe(200);
    expect(answer.body.session.id).toBe(tokens.session.id);
  });

  it('is refused with no proof, a used one, one of another key, token or request', async () => {
    const { device, tokens } = await boundSession(api);
    const token = tokens.access_token;
    const ath = athOf(token);
    const uri = `${testIssuer}/auth/me`;
    const thief = new TestDevice();
    thief.nonce = device.nonce;
    const used = device.proof('GET', uri, { claims: { ath } });
    const send = async (headers: Record<string, string>) => {
      const answer = await api.call('GET', '/auth/me', {
        headers: { authorization: `DPoP ${token}`, ...headers },
      });
      return [answer.status, answer.body.code];
    };
    expect(await send({ dpop: used })).toEqual([200, undefined]);
    const refused = {
      none: {},
      used: { dpop: used },
      'another key': { dpop: thief.proof('GET', uri, { claims: { ath } }) },
      'no ath': { dpop: device.proof('GET', uri) },
      'another ath': { dpop: device.proof('GET', uri, { claims: { ath: athOf('x') } }) },
      'another path': { dpop: device.proof('GET', `${uri}/x`, { claims: { ath } }) },
      'another method': { dpop: device.proof('POST', uri, { claims: { ath } }) },
      garbage: { dpop: 'garbage' },
    };
    for (const [what, headers] of Object.entries(refused)) {
      expect(await send(headers), what).toEqual([401, 'invalid_dpop_proof']);
    }
    const noNonce = device.proof('GET', uri, { claims: { ath, nonce: undefined } });
    expect(await send({ dpop: noNonce })).toEqual([401, 'use_dpop_nonce']);
  });

  it('is refused with two proofs', async () => {
    const { device, tokens } = await boundSession(api);
    const ath = athOf(tokens.access_token);
    const proofs = [1, 2].map(() =>
      device.proof('GET', `${testIssuer}/auth/me`, { claims: { ath } }),
    );
    const { body } = await api.call('GET', '/auth/me', {
      headers: { authorization: `DPoP ${tokens.access_token}`, dpop: proofs.join(', ') },
    });
    expect(body.code).toBe('invalid_dpop_proof');
  });

  it('does not make one that is not bound good under the scheme DPoP', async () => {
    const device = new TestDevice();
    const { email } = await api.register();
    const { access_token: boundToken } = await api.logIn({ email });
    const answer = await provenCall(api, device, me, { boundToken });
    expect([answer.status, answer.body.code]).toEqual([401, 'invalid_token']);
    expect(answer.headers.get('www-authenticate')).toMatch(/^DPoP .*error="invalid_token"/);
  });

  it('is what a proof beside a plain bearer does not change', async () => {
    const { email } = await api.register();
    const { access_token: token } = await api.logIn({ email });
    const dpop = new TestDevice().proof('GET', `${testIssuer}/auth/me`);
    const answer = await api.call('GET', '/auth/me', { token, headers: { dpop } });
    expect(answer.status).toBe(200);
  });

  it('is introspected with its key, by a client that checks the proof itself', async () => {
    const { device, tokens } = await boundSession(api);
    const { access_token: administrator } = await api.admin();
    const { body: client } = await api.call('POST', '/admin/clients', {
      token: administrator,
      body: { name: 'orders', audiences: [testIssuer] },
    });
    const { body } = await api.call('POST', '/oauth2/introspect', {
      basic: [client.client_id, client.client_secret],
      form: { token: tokens.access_token },
    });
    expect(body).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt: device.jkt } });
  });
});

describe('the refresh of a bound session', () => {
  it('rotates for its key and stays bound', async () => {
    const { device, tokens } = await boundSession(api);
    const { status, body } = await provenRefresh(api, device, tokens.refresh_token);
    expect([status, body.token_type]).toEqual([200, 'DPoP']);
    expect(decodeJwt(body.access_token)).toMatchObject({ cnf: { jkt: device.jkt } });
    expect(body.refresh_token).not.toBe(tokens.refresh_token);
  });

  // Fails when a refusal for want of the key records a reuse, or spends what the owner may refresh.
  it('is refused to a thief of the token, who cannot end the session either', async () => {
    const { device, tokens } = await boundSession(api);
    const thief = new TestDevice();
    const { body: next } = await provenRefresh(api, device, tokens.refresh_token);
    for (const stolen of [tokens.refresh_token, next.refresh_token]) {
      const bare = await api.refresh(stolen);
      expect([bare.status, bare.body.code]).toEqual([401, 'invalid_dpop_proof']);
      const keyed = await provenRefresh(api, thief, stolen);
      expect([keyed.status, keyed.body.code]).toEqual([401, 'invalid_dpop_proof']);
      const logout = { body: { refresh_token: stolen } };
      expect((await api.call('POST', '/auth/logout', logout)).status).toBe(401);
      expect((await provenCall(api, thief, ['POST', '/auth/logout'], logout)).status).toBe(401);
    }
    const types = (await api.eventsOf(tokens.session.id)).map(({ type }) => type);
    expect(types).toEqual(['SessionStarted', 'SessionRefreshed']);
    expect((await provenRefresh(api, device, next.refresh_token)).status).toBe(200);
  });

  it('answers every token that the session ever had, to the holder of the key', async () => {
    const { device, tokens } = await boundSession(api);
    let newest = tokens.refresh_token;
    for (let turn = 0; turn < 3; turn++) {
      newest = (await provenRefresh(api, device, newest)).body.refresh_token;
    }
    const first = await provenRefresh(api, device, tokens.refresh_token);
    const again = await provenRefresh(api, device, tokens.refresh_token);
    expect(again.body.refresh_token).toBe(first.body.refresh_token);
    for (const token of [newest, first.body.refresh_token, newest]) {
      expect((await provenRefresh(api, device, token)).status).toBe(200);
    }
    const types = (await api.eventsOf(tokens.session.id)).map(({ type }) => type);
    expect(types).not.toContain('SessionRevoked');
  });

  it('takes a proof once', async () => {
    const { device, tokens } = await boundSession(api);
    const body = { refresh_token: tokens.refresh_token };
    const dpop = device.proof('POST', `${testIssuer}/auth/refresh`);
    const send = () => api.call('POST', '/auth/refresh', { body, headers: { dpop } });
    expect((await send()).status).toBe(200);
    expect((await send()).body.code).toBe('invalid_dpop_proof');
  });
});

describe('the logout of a bound session', () => {
  it('takes a proof, with the access token or the refresh token', async () => {
    for (const by of ['access', 'refresh']) {
      const { device, tokens } = await boundSession(api);
      const credential =
        by === 'access'
          ? { boundToken: tokens.access_token }
          : { body: { refresh_token: tokens.refresh_token } };
      const answer = await provenCall(api, device, ['POST', '/auth/logout'], credential);
      expect(answer.status, by).toBe(204);
      const ended = await provenRefresh(api, device, tokens.refresh_token);
      expect(ended.body.code, by).toBe('session_ended');
    }
  });

  it('is refused to the bearer of its access token alone', async () => {
    const { tokens } = await boundSession(api);
    const { status } = await api.call('POST', '/auth/logout', { token: tokens.access_token });
    expect(status).toBe(401);
  });
});
