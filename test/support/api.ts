import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { allRoutes } from '../../src/api/routes/all.ts';
import { startApi } from '../../src/api/serve.ts';
import { ensureAdministrator } from '../../src/app/user/ensure-administrator.ts';
import { type RecordedEvent, readStream } from '../../src/eventlog/read.ts';
import { loadConfig } from '../../src/node/config.ts';
import type { Node } from '../../src/node/node.ts';
import type { ReadinessProbe } from '../../src/node/readiness.ts';
import { responseValidator } from '../api/http/validate-response.ts';
import { aFile } from './a-file.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';

export const testPassword = 'a long and ordinary sentence';

// biome-ignore lint/suspicious/noExplicitAny: each answer was checked against its declared schema
type Json = any;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

export interface CallOptions {
  readonly token?: string;
  readonly body?: unknown;
  /** Sent as `application/x-www-form-urlencoded`. */
  readonly form?: Readonly<Record<string, string>>;
  /** Client id and secret, as HTTP Basic. */
  readonly basic?: readonly [string, string];
  readonly headers?: Readonly<Record<string, string>>;
}

export interface LogInOptions {
  readonly email: string;
  readonly password?: string;
  readonly device?: string;
  readonly transport?: 'body' | 'cookie';
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestApi {
  readonly url: string;
  readonly node: Node;
  readonly database: TestDatabase;
  /** Sends a request and checks the answer against what its route declares. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** A new user with `testPassword`; each call another address unless one is given. */
  register(email?: string): Promise<{ email: string; id: string }>;
  /** The TokenSet of a login that must succeed. */
  logIn(options: LogInOptions): Promise<Json>;
  refresh(refreshToken: string, headers?: Record<string, string>): Promise<Answer>;
  /** The status of `/auth/verify`: 204 while the token is good. */
  verify(token: string): Promise<number>;
  /** The TokenSet of an administrator, logged in anew. */
  admin(): Promise<Json>;
  eventsOf(streamId: string): Promise<RecordedEvent[]>;
  /** Another process, as far as anybody can tell: same database, memory and pools of its own. */
  anotherNode(env?: Record<string, string>): Promise<TestApi>;
  /** What this node has logged so far: pino's numbers for levels, 30 is info, 40 warn, 50 error. */
  logged(): Json[];
  stop(): Promise<void>;
}

const kek = `test:${randomBytes(32).toString('base64url')}`;

/**
 * The real API on a free port and a database of its own: cheap hashes, a short floor, no rate
 * limits.
 */
export async function startTestApi(
  env: Record<string, string> = {},
  given?: TestDatabase,
): Promise<TestApi> {
  const database = given ?? (await createTestDatabase());
  const api = await startNode(database, env);
  const others: TestApi[] = [];
  return {
    ...api,
    anotherNode: async (change = {}) => {
      const other = await startNode(database, { ...env, ...change });
      others.push(other);
      return other;
    },
    stop: async () => {
      for (const node of [...others, api]) await node.stop();
      await database.drop();
    },
  };
}

async function startNode(database: TestDatabase, env: Record<string, string>): Promise<TestApi> {
  const lines: string[] = [];
  const api = await startApi({
    config: loadConfig({
      PORT: '0',
      METRICS_PORT: '0',
      ISSUER: 'http://latchkey.test',
      KEK: kek,
      KEY_ALGORITHM: 'ES256',
      PASSWORD_HASH_MEMORY_KIB: '8',
      LOGIN_FLOOR_MS: '5',
      RATE_LIMITS: 'off',
      POOL_READERS: '4',
      ERASURE_LOG: aFile('erasures.log'),
      ...env,
    }),
    databaseUrl: database.appUrl,
    log: pino({ level: 'info' }, { write: (line) => void lines.push(line) }),
    idleGraceMs: 0,
  });
  const url = `http://127.0.0.1:${api.port}`;
  const call = caller(url, api.node);
  return {
    url,
    node: api.node,
    database,
    call,
    ...shorthands(call, api.node),
    eventsOf: (streamId) => readStream(api.node.cells.home.readers, streamId),
    anotherNode: (change = {}) => startNode(database, { ...env, ...change }),
    logged: () => lines.map((line) => JSON.parse(line)),
    stop: () => api.stop(),
  };
}

function caller(url: string, node: Node): TestApi['call'] {
  const validate = responseValidator(allRoutes(node, {} as ReadinessProbe));
  return async (method, path, { token, body, form, basic, headers = {} } = {}) => {
    const authorization =
      token !== undefined
        ? { authorization: `Bearer ${token}` }
        : basic !== undefined
          ? { authorization: `Basic ${Buffer.from(basic.join(':')).toString('base64')}` }
          : {};
    const response = await fetch(url + path, {
      method,
      headers: {
        ...authorization,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    const answer: Json = isJson ? JSON.parse(text) : text === '' ? undefined : text;
    if (!/^(\/api)?\/auth\/(verify|forward)/.test(path)) {
      validate(method, path, response.status, answer);
    }
    return { status: response.status, headers: response.headers, body: answer };
  };
}

function shorthands(call: TestApi['call'], node: Node) {
  const expect = async (status: number, answer: Promise<Answer>): Promise<Json> => {
    const { status: actual, body } = await answer;
    if (actual !== status)
      throw new Error(`${actual} instead of ${status}: ${JSON.stringify(body)}`);
    return body;
  };
  const logIn: TestApi['logIn'] = ({ email, password, device, transport, fields, headers }) =>
    expect(
      200,
      call('POST', '/auth/login', {
        body: {
          email,
          password: password ?? testPassword,
          ...(device === undefined ? {} : { device: { type: device } }),
          ...(transport === undefined ? {} : { transport }),
          ...fields,
        },
        ...(headers === undefined ? {} : { headers }),
      }),
    );
  const register: TestApi['register'] = async (email = anEmail()) => {
    const body = { email, password: testPassword };
    const { user } = await expect(201, call('POST', '/auth/register', { body }));
    return { email: user.email, id: user.id };
  };
  const refresh: TestApi['refresh'] = (refresh_token, headers = {}) =>
    call('POST', '/auth/refresh', { body: { refresh_token }, headers });
  const verify: TestApi['verify'] = async (token) =>
    (await call('GET', '/auth/verify', { token })).status;
  const admin: TestApi['admin'] = async () => {
    const email = 'first.admin@example.com';
    await ensureAdministrator(node, { email, password: testPassword });
    const fields = { audience: node.config.tokens.issuer };
    return logIn({ email, device: 'service', fields });
  };
  return { logIn, register, refresh, verify, admin };
}

export function anEmail(): string {
  return `${randomBytes(6).toString('hex')}@example.com`;
}
