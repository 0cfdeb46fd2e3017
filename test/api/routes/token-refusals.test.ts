import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';
import {
  askForItself,
  askToken,
  basicOf,
  type Client,
  registerClient,
  sendForm,
} from './token-world.ts';

const orders = 'https://orders.example';

let api: TestApi;
let service: Client;
beforeAll(async () => {
  api = await startTestApi({ DEFAULT_AUDIENCE: orders });
  service = await registerClient(api, { scopes: ['orders.read'] });
});
afterAll(() => api.stop());

describe('a refusal of the token endpoint', () => {
  it('is one of RFC 6749 section 5.2', async () => {
    const unknown = await askToken(api, service, { grant_type: 'password' });
    expect(unknown).toMatchObject({ status: 400, body: { error: 'unsupported_grant_type' } });
    const inherited = await askToken(api, service, { grant_type: 'constructor' });
    expect(inherited).toMatchObject({ status: 400, body: { error: 'unsupported_grant_type' } });
    const missing = await askToken(api, service, { scope: 'orders.read' });
    expect(missing).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    const scope = await askForItself(api, service, { scope: 'orders.read admin' });
    expect(scope).toMatchObject({ status: 400, body: { error: 'invalid_scope' } });
    const target = await askForItself(api, service, { resource: 'https://bank.example' });
    expect(target).toMatchObject({ status: 400, body: { error: 'invalid_target' } });
    expect(target.headers.get('cache-control')).toBe('no-store');
  });

  it('is invalid_client with a Basic challenge where the client proves nothing', async () => {
    const wrong = await askForItself(api, { ...service, client_secret: 'wrong' });
    expect(wrong).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
    expect(wrong.headers.get('www-authenticate')).toMatch(/^Basic /);
    const form = { grant_type: 'client_credentials', client_id: service.client_id };
    const named = await api.call('POST', '/oauth2/token', { form });
    expect(named).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
  });

  it('is unauthorized_client for a public client, which proves nothing', async () => {
    const { client_id } = await registerClient(api, { kind: 'public', audiences: [orders] });
    const form = { grant_type: 'client_credentials', client_id };
    const answer = await api.call('POST', '/oauth2/token', { form });
    expect(answer).toMatchObject({ status: 400, body: { error: 'unauthorized_client' } });
  });

  it('is invalid_request for a parameter that comes twice, unless it is a list', async () => {
    for (const twice of ['grant_type=client_credentials', 'scope=orders.read', 'nonsense=1']) {
      const answer = await sendForm(
        api,
        service,
        `grant_type=client_credentials&${twice}&${twice}`,
      );
      expect([answer.status, await answer.json()], twice).toMatchObject([
        400,
        { error: 'invalid_request' },
      ]);
    }
    const unknown = await sendForm(
      api,
      service,
      'grant_type=client_credentials&nonsense=1&audience=&scope=',
    );
    expect(unknown.status).toBe(200);
  });

  it('is 415 for JSON, and 405 for GET', async () => {
    const json = await api.call('POST', '/oauth2/token', {
      basic: basicOf(service),
      body: { grant_type: 'client_credentials' },
    });
    expect(json).toMatchObject({ status: 415, body: { error: 'invalid_request' } });
    expect((await fetch(`${api.url}/oauth2/token`)).status).toBe(405);
  });

  it('counts each by grant and outcome', async () => {
    const metric = api.node.metrics.registry.getSingleMetric('latchkey_token_requests_total')!;
    const { values } = await metric.get();
    const seen = values.map(({ labels }) => `${labels.grant} ${labels.outcome}`);
    expect(seen).toEqual(
      expect.arrayContaining([
        'client_credentials issued',
        'client_credentials invalid_scope',
        'client_credentials invalid_target',
        'client_credentials unauthorized_client',
        'other unsupported_grant_type',
      ]),
    );
  });
});

describe('the limits of the token endpoint', () => {
  it('are those of the client, whichever its address, and of no other client', async () => {
    const limited = await startTestApi({ RATE_LIMITS: 'on' });
    const [busy, quiet] = [await registerClient(limited), await registerClient(limited)];
    const spent = { clientId: busy.client_id };
    for (let count = 0; count < 300; count++) limited.node.rateLimits.take('client_token', spent);
    const refused = await askForItself(limited, busy);
    expect(refused).toMatchObject({ status: 429, body: { error: 'temporarily_unavailable' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await askForItself(limited, quiet)).status).toBe(200);
    const wrong = { ...busy, client_secret: 'wrong' };
    expect((await askForItself(limited, wrong)).status).toBe(401);
    await limited.stop();
  });
});
