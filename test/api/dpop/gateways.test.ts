import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { athOf, boundSession, type TestDevice, testIssuer } from '../../support/dpop.ts';
import { withClient } from '../../support/postgres.ts';

let own: TestApi;
let forwarded: TestApi;
let original: TestApi;
let untrusting: TestApi;
let device: TestDevice;
let token: string;
beforeAll(async () => {
  own = await startTestApi({ DPOP_NONCE_SECONDS: '600' });
  const TRUSTED_PROXIES = '127.0.0.1';
  forwarded = await own.anotherNode({ TRUSTED_PROXIES, GATEWAY_REQUEST_HEADERS: 'x-forwarded' });
  original = await own.anotherNode({ TRUSTED_PROXIES, GATEWAY_REQUEST_HEADERS: 'x-original' });
  untrusting = await own.anotherNode({ GATEWAY_REQUEST_HEADERS: 'x-forwarded' });
  const session = await boundSession(own);
  device = session.device;
  token = session.tokens.access_token;
});
afterAll(() => own.stop());

const orders = 'https://api.example.test/orders/7';
const proofFor = (method: string, uri: string, claims: object = {}) =>
  device.proof(method, uri, { claims: { ath: athOf(token), ...claims } });

interface Asked {
  readonly dpop?: string;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly path?: string;
}

async function ask(api: TestApi, { dpop, headers = {}, method = 'GET', path }: Asked) {
  const answer = await fetch(api.url + (path ?? '/auth/verify'), {
    method,
    headers: {
      authorization: `DPoP ${token}`,
      ...(dpop === undefined ? {} : { dpop }),
      ...headers,
    },
  });
  const body = (await answer.json().catch(() => undefined)) as { code?: string } | undefined;
  return { status: answer.status, code: body?.code, headers: answer.headers };
}

const asGateway = (method: string, uri: string): Record<string, string> => {
  const { protocol, host, pathname, search } = new URL(uri);
  return {
    'x-forwarded-method': method,
    'x-forwarded-proto': protocol.slice(0, -1),
    'x-forwarded-host': host,
    'x-forwarded-uri': pathname + search,
  };
};

describe('a gateway that says what the original request was', () => {
  it('gets a yes for a proof of that request, also where its own is another', async () => {
    for (const path of ['/auth/verify', '/auth/forward/orders/7?page=2']) {
      const headers = asGateway('PUT', `${orders}?page=2`);
      const yes = await ask(forwarded, { dpop: proofFor('PUT', orders), headers, path });
      expect(yes.status).toBe(204);
      expect(yes.headers.get('x-auth-session')).not.toBeNull();
    }
  });

  it('gets a yes by X-Original-* where those are configured', async () => {
    const headers = { 'x-original-method': 'PUT', 'x-original-url': `${orders}?page=2` };
    expect((await ask(original, { dpop: proofFor('PUT', orders), headers })).status).toBe(204);
  });

  it('gets a no without a proof, and for one of another request', async () => {
    const headers = asGateway('PUT', orders);
    const none = await ask(forwarded, { headers });
    expect([none.status, none.code]).toEqual([401, 'invalid_dpop_proof']);
    for (const dpop of [
      proofFor('GET', orders),
      proofFor('PUT', `${orders}/lines`),
      proofFor('PUT', 'https://other.example.test/orders/7'),
      proofFor('GET', `${testIssuer}/auth/verify`),
    ]) {
      const no = await ask(forwarded, { dpop, headers });
      expect([no.status, no.code]).toEqual([401, 'invalid_dpop_proof']);
    }
  });

  it('gets a no when it says only half, or twice, of which request it was', async () => {
    const whole = asGateway('PUT', orders);
    for (const name of Object.keys(whole)) {
      const { [name]: left, ...half } = whole;
      const dpop = proofFor('PUT', orders);
      expect((await ask(forwarded, { dpop, headers: half })).status, name).toBe(401);
      const twice = { ...whole, [name]: `${left}, ${left}` };
      expect((await ask(forwarded, { dpop, headers: twice })).status, name).toBe(401);
    }
  });
});

describe('what nobody may say of a request', () => {
  // Fails when the headers of any peer, or of the family that is not configured, are believed.
  it('a peer outside TRUSTED_PROXIES, and headers of a family that is not configured', async () => {
    const both = {
      ...asGateway('PUT', orders),
      'x-original-method': 'PUT',
      'x-original-url': orders,
    };
    for (const api of [untrusting, own]) {
      const dpop = proofFor('PUT', orders);
      expect((await ask(api, { dpop, headers: both })).status).toBe(401);
    }
    const { 'x-original-method': _, 'x-original-url': __, ...family } = both;
    const dpop = proofFor('PUT', orders);
    expect((await ask(original, { dpop, headers: family })).status).toBe(401);
  });
});

describe('a client that asks by itself', () => {
  it('proves its request at the address of the issuer, never at that of Host', async () => {
    for (const path of ['/auth/verify', '/api/auth/verify/x', '/auth/forward']) {
      const dpop = proofFor('POST', testIssuer + path);
      expect((await ask(own, { dpop, method: 'POST', path })).status, path).toBe(204);
    }
    const dpop = proofFor('GET', `${own.url}/auth/verify`);
    expect((await ask(own, { dpop })).status).toBe(401);
  });

  it('is asked for a nonce like any other, with the challenge of RFC 9449', async () => {
    const dpop = proofFor('GET', `${testIssuer}/auth/verify`, { nonce: undefined });
    const { status, code, headers } = await ask(own, { dpop });
    expect([status, code]).toEqual([401, 'use_dpop_nonce']);
    expect(headers.get('dpop-nonce')).toBe(device.nonce);
    expect(headers.get('www-authenticate')).toMatch(/^DPoP .*error="use_dpop_nonce", algs="/);
  });

  it('is refused what a demand wants and the token lacks', async () => {
    const dpop = proofFor('GET', `${testIssuer}/auth/verify`);
    const answer = await ask(own, { dpop, path: '/auth/verify?role=editor' });
    expect([answer.status, answer.code]).toEqual([403, 'insufficient_scope']);
  });
});

// Fails when a proof is looked up in the database, at any of its outcomes.
it('verifying a proof costs no statement', async () => {
  const lastStatements = () =>
    withClient(own.database.ownerUrl, async (owner) => {
      const { rows } = await owner.query(
        `select pid, query_start from pg_stat_activity
          where datname = current_database() and application_name like 'latchkey serve%'
            and application_name not like '%poll%' order by pid`,
      );
      return rows;
    });
  const before = await lastStatements();
  const uri = `${testIssuer}/auth/verify`;
  const used = proofFor('GET', uri);
  for (let turn = 0; turn < 20; turn++) {
    expect((await ask(own, { dpop: proofFor('GET', uri) })).status).toBe(204);
    expect((await ask(own, { dpop: proofFor('PUT', uri) })).status).toBe(401);
    expect((await ask(own, { dpop: used })).status).toBe(turn === 0 ? 204 : 401);
  }
  expect(before.length).toBeGreaterThan(1);
  expect(await lastStatements()).toEqual(before);
});
