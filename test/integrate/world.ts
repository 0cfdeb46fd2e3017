import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { choosePort } from '../../src/platform/embedded-postgres/free-port.ts';
import { startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { boundSession, TestDevice } from '../support/dpop.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

/** What a service is given that stands beside Latchkey: the variables that the pages name. */
export interface ServiceEnv extends Record<string, string> {
  readonly ISSUER: string;
  readonly AUDIENCE: string;
  readonly CLIENT_ID: string;
  readonly CLIENT_SECRET: string;
}

export interface Login {
  readonly userId: string;
  readonly access: string;
  readonly refresh: string;
}

/** A real Latchkey whose issuer is its address, and a service's client of it. */
export interface World {
  readonly api: TestApi;
  /** The network between Latchkey and everybody else; `close` is an outage. */
  readonly network: TcpProxy;
  readonly env: ServiceEnv;
  /** A new user, with a token for the service. */
  newLogin(options?: LoginOptions): Promise<Login>;
  /** A good access token for the service whose session is bound to a key (DPoP). */
  newBoundToken(): Promise<string>;
  /** Grants or revokes the role `admin`. */
  changeRole(method: 'PUT' | 'DELETE', login: Login): Promise<void>;
  /** Ends the session on the node that everybody asks. */
  logOut(login: Login): Promise<void>;
  /** The token with these claims and this `typ` instead, signed with Latchkey's own key. */
  signAgain(token: string, claims: Record<string, unknown>, typ?: string): Promise<string>;
  /** The next key signs from now on. */
  rotateKeys(): Promise<void>;
  /** The key that signed this access token is believed no more. */
  revokeKeyOf(login: Login): Promise<void>;
  stop(): Promise<void>;
}

interface LoginOptions {
  readonly role?: string;
  /** Instead of the service's. */
  readonly audience?: string;
}

const audience = 'https://orders.example.com';
export const otherAudience = 'https://reports.example.com';

/** `change` is given the issuer as a service on this machine reaches it, and answers settings. */
export async function startWorld(
  change: (issuer: string) => Record<string, string> = () => ({}),
): Promise<World> {
  const port = await choosePort('');
  const network = await openTcpProxy(`http://127.0.0.1:${port}`);
  const issuer = network.url;
  const own = { PORT: String(port), ISSUER: issuer, DEFAULT_AUDIENCE: audience };
  const api = await startTestApi({ ...own, ...change(issuer) });
  const operator = (await api.admin()).access_token as string;
  const newClient = async (body: object) =>
    (await api.call('POST', '/admin/clients', { token: operator, body })).body;
  const service = await newClient({ name: 'orders', audiences: [audience] });
  const reports = await newClient({
    name: 'reports',
    audiences: [otherAudience],
    first_party: true,
  });
  // A login of its own: a rotation or a revoked key may have made the one of before worthless.
  const operate = async (method: string, path: string, body?: object) => {
    const token = (await api.admin()).access_token as string;
    await api.call(method, path, { token, ...(body === undefined ? {} : { body }) });
  };
  const changeRole = (method: 'PUT' | 'DELETE', id: string, role: string) =>
    operate(method, `/admin/users/${id}/roles/${role}`);
  return {
    api,
    network,
    env: {
      ISSUER: issuer,
      AUDIENCE: audience,
      CLIENT_ID: service.client_id,
      CLIENT_SECRET: service.client_secret,
    },
    newLogin: async ({ role, audience: wanted } = {}) => {
      const { email, id } = await api.register();
      if (role !== undefined) await changeRole('PUT', id, role);
      const client = { client_id: reports.client_id, client_secret: reports.client_secret };
      const fields = wanted === otherAudience ? client : { audience: wanted ?? audience };
      const tokens = await api.logIn({ email, password: testPassword, fields });
      return { userId: id, access: tokens.access_token, refresh: tokens.refresh_token };
    },
    newBoundToken: async () => {
      const { tokens } = await boundSession(api, new TestDevice(), { audience });
      return tokens.access_token;
    },
    changeRole: (method, { userId }) => changeRole(method, userId, 'admin'),
    logOut: async ({ refresh }) => {
      await api.call('POST', '/auth/logout', { body: { refresh_token: refresh } });
    },
    signAgain: (token, claims, typ = 'at+jwt') => {
      const { alg, kid, privateKey } = api.node.memory.signingKey.get();
      const changed = new SignJWT({ ...decodeJwt(token), ...claims });
      return changed.setProtectedHeader({ alg, kid, typ }).sign(privateKey);
    },
    rotateKeys: () => operate('POST', '/admin/keys/rotate', { now: true }),
    revokeKeyOf: ({ access }) =>
      operate('POST', `/admin/keys/${decodeProtectedHeader(access).kid}/revoke`),
    stop: async () => {
      await network.close();
      await api.stop();
    },
  };
}
