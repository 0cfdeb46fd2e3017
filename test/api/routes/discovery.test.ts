import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { provenCall, TestDevice } from '../../support/dpop.ts';
import { basicOf, type Client, registerClient } from './token-world.ts';

const issuer = new URL('http://latchkey.test');
const orders = 'https://orders.example';

let api: TestApi;
let service: Client;
let app: Client;
let metadata: oauth.AuthorizationServer;

/** The client library believes that the API answers at its issuer. */
const reached = {
  [oauth.allowInsecureRequests]: true,
  [oauth.customFetch]: (url: string, init: object) => {
    expect(url.startsWith(issuer.origin)).toBe(true);
    return fetch(api.url + url.slice(issuer.origin.length), init);
  },
};

async function discovered(): Promise<oauth.AuthorizationServer> {
  const answer = await oauth.discoveryRequest(issuer, { ...reached, algorithm: 'oauth2' });
  return oauth.processDiscoveryResponse(issuer, answer);
}

beforeAll(async () => {
  api = await startTestApi({ DEFAULT_AUDIENCE: orders });
  const first_party = true;
  service = await registerClient(api, { scopes: ['orders.read'], first_party });
  app = await registerClient(api, { kind: 'public', first_party });
  metadata = await discovered();
});
afterAll(() => api.stop());

const withSecret: Record<string, (secret: string) => oauth.ClientAuth> = {
  client_secret_basic: oauth.ClientSecretBasic,
  client_secret_post: oauth.ClientSecretPost,
};
const authOf = (method: string): oauth.ClientAuth =>
  method === 'none' ? oauth.None() : withSecret[method]!(service.client_secret);
const clientOf = (method: string) => ({
  client_id: method === 'none' ? app.client_id : service.client_id,
});
const logIn = async (method: string) => {
  const { email } = await api.register();
  const fields = method === 'none' ? { client_id: app.client_id } : service;
  return api.logIn({ email, fields: { ...fields } });
};

async function tokenFor(method = 'client_secret_basic', options: object = {}) {
  const client = clientOf(method);
  const answer = await oauth.clientCredentialsGrantRequest(
    metadata,
    client,
    authOf(method),
    new URLSearchParams({ scope: 'orders.read' }),
    { ...reached, ...options },
  );
  return oauth.processClientCredentialsResponse(metadata, client, answer);
}

/** RFC 9068 section 4, with the keys of `jwks_uri`. */
const validated = (token: string) => {
  const headers = { authorization: `Bearer ${token}` };
  const request = new Request(`${orders}/`, { headers });
  return oauth.validateJwtAccessToken(metadata, request, orders, reached);
};

describe('the metadata of RFC 8414', () => {
  it('is public, may be cached, and names the issuer as it is configured', async () => {
    const answer = await fetch(`${api.url}/.well-known/oauth-authorization-server`);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=300');
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(((await answer.json()) as { issuer: string }).issuer).toBe('http://latchkey.test');
  });

  // Fails when a required member is left out, or a client is sent where nothing answers.
  it('has what its RFC requires, and each of its URLs answers', async () => {
    expect(metadata).toMatchObject({ issuer: issuer.origin, response_types_supported: [] });
    expect(metadata).not.toHaveProperty('authorization_endpoint');
    for (const [name, value] of Object.entries(metadata)) {
      if (!/endpoint$|_uri$|_documentation$/.test(name)) continue;
      const path = String(value).slice(issuer.origin.length);
      const method = name.endsWith('endpoint') ? 'POST' : 'GET';
      const { status } = await fetch(api.url + path, { method });
      expect(status, name).not.toBe(404);
      expect(status, name).toBeLessThan(500);
    }
  });

  it('is found where an issuer with a path looks for it, and nowhere else', async () => {
    const other = await api.anotherNode({ ISSUER: 'http://latchkey.test/realms/one' });
    const answer = async (path: string) => {
      const at = `/.well-known/oauth-authorization-server${path}`;
      return other.call('GET', at);
    };
    const { body } = await answer('/realms/one');
    expect(body.token_endpoint).toBe('http://latchkey.test/realms/one/oauth2/token');
    expect((await answer('/realms/two')).status).toBe(404);
    expect((await answer('/realms/one/x')).status).toBe(404);
  });
});

describe('a foreign client library', () => {
  // Fails when a grant is listed that does not work, or works without being listed.
  it('knows the grants that work', () => {
    expect(metadata.grant_types_supported).toEqual(['client_credentials', 'refresh_token']);
  });

  it('gets a token by each method that is listed, and verifies it by the keys', async () => {
    const methods = metadata.token_endpoint_auth_methods_supported!;
    expect(methods).toEqual(['client_secret_basic', 'client_secret_post', 'none']);
    for (const method of methods.filter((each) => each !== 'none')) {
      const { access_token, token_type, expires_in, scope } = await tokenFor(method);
      expect([token_type, expires_in, scope], method).toEqual(['bearer', 3600, 'orders.read']);
      const { sub, client_id } = await validated(access_token);
      expect([sub, client_id]).toEqual([service.client_id, service.client_id]);
    }
    await expect(tokenFor('none')).rejects.toMatchObject({ error: 'unauthorized_client' });
  });

  it('refreshes by each method that is listed', async () => {
    for (const method of metadata.token_endpoint_auth_methods_supported!) {
      const { refresh_token } = await logIn(method);
      const client = clientOf(method);
      const answer = await oauth.refreshTokenGrantRequest(
        metadata,
        client,
        authOf(method),
        refresh_token,
        reached,
      );
      const tokens = await oauth.processRefreshTokenResponse(metadata, client, answer);
      expect((await validated(tokens.access_token)).client_id, method).toBe(client.client_id);
      expect(tokens.refresh_token).not.toBe(refresh_token);
    }
  });

  it('introspects and revokes by each method that is listed', async () => {
    const introspect = async (method: string, token: string) => {
      const client = clientOf(method);
      const auth = authOf(method);
      const answer = await oauth.introspectionRequest(metadata, client, auth, token, reached);
      return oauth.processIntrospectionResponse(metadata, client, answer);
    };
    for (const method of metadata.introspection_endpoint_auth_methods_supported as string[]) {
      const { access_token } = await tokenFor();
      expect((await introspect(method, access_token)).active, method).toBe(true);
    }
    for (const method of metadata.revocation_endpoint_auth_methods_supported as string[]) {
      const { access_token } = await logIn(method);
      const client = clientOf(method);
      const answer = await oauth.revocationRequest(
        metadata,
        client,
        authOf(method),
        access_token,
        reached,
      );
      await oauth.processRevocationResponse(answer);
      expect((await introspect('client_secret_basic', access_token)).active, method).toBe(false);
    }
  });

  it('proves a key by each algorithm that is listed', async () => {
    const { dpop_signing_alg_values_supported: algorithms } = metadata;
    expect(algorithms!.length).toBeGreaterThan(3);
    // Web Crypto has but the newer of the two names for one algorithm (RFC 9864).
    for (const alg of algorithms!.filter((each) => each !== 'EdDSA')) {
      const DPoP = oauth.DPoP({}, await oauth.generateKeyPair(alg));
      const prove = () => tokenFor('client_secret_basic', { DPoP });
      const issued = await prove().catch((error: unknown) => {
        if (!oauth.isDPoPNonceError(error)) throw error;
        return prove();
      });
      expect(issued.token_type, alg).toBe('dpop');
    }
    const old = await provenCall(api, new TestDevice('EdDSA'), ['POST', '/oauth2/token'], {
      basic: basicOf(service),
      form: { grant_type: 'client_credentials' },
    });
    expect(old.body.token_type).toBe('DPoP');
  });
});
