import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { bodyExample } from '../../src/api/http/body-example.ts';
import { budgetsOf, type Route } from '../../src/api/http/route.ts';
import { allRoutes } from '../../src/api/routes/all.ts';
import { documentWords } from '../../src/api/routes/document-words.ts';
import { type Budget, budgets, type Rule } from '../../src/domain/kernel/budgets.ts';
import { LatchkeyError } from '../../src/domain/kernel/errors.ts';
import { createRateLimits } from '../../src/node/rate-limits.ts';
import type { ReadinessProbe } from '../../src/node/readiness.ts';
import { anEmail, startTestApi, type TestApi, testPassword } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

/** The limits as shipped, at a clock that stands: no budget comes back on a slow machine. */
function stopTheClock(): void {
  limit(api, {});
}
/** As shipped, but for some. */
function limit(node: TestApi, change: Partial<Record<Budget, readonly Rule[]>>): void {
  const limits = createRateLimits({
    enabled: true,
    budgets: { ...budgets, ...change },
    now: () => 0,
  });
  vi.spyOn(node.node.rateLimits, 'take').mockImplementation(limits.take);
  vi.spyOn(node.node.rateLimits, 'requireRoom').mockImplementation(limits.requireRoom);
}
afterEach(() => vi.restoreAllMocks());

/** They write nothing, whatever their method. */
const readers = ['/oauth2/introspect', '/auth/verify', '/auth/forward'];

function writing(): Route[] {
  return allRoutes(api.node, {} as ReadinessProbe).filter(
    ({ method, path }) => method !== 'get' && !readers.some((prefix) => path.startsWith(prefix)),
  );
}

/** What the API page fills in for it. */
function exampleOf({ path, body, accepts }: Route, basic: readonly [string, string]) {
  if (path === '/oauth2/token') return { form: { grant_type: 'client_credentials' }, basic };
  if (accepts === 'form') return {};
  if (body === undefined) return {};
  const schema = z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' });
  return { body: bodyExample(schema, documentWords.fieldExamples) };
}

describe('C3: every route that appends', () => {
  it('names the budgets that it takes from', () => {
    const routes = writing();
    expect(routes.length).toBeGreaterThan(15);
    const without = routes.filter((route) => budgetsOf(route).length === 0);
    expect(without.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  });

  // Fails when a route does not take from a budget that it names, or does after its command.
  it('is refused, and runs no command, when a budget that it names is spent', async () => {
    const { access_token: token } = await api.admin();
    const client = { token, body: { name: 'a service' } };
    const { body: made } = await api.call('POST', '/admin/clients', client);
    const basic = [made.client_id, made.client_secret] as const;
    const run = vi.spyOn(api.node.cells.home.handler, 'run');
    const named = writing().flatMap((route) =>
      budgetsOf(route).map((budget) => ({ route, budget })),
    );
    // What a password is worth is known only after the hash, inside the command.
    const judgedFirst = named.filter(
      ({ route, budget }) =>
        budgets[budget].length > 0 &&
        budget !== 'login_success' &&
        // What a refresh token is worth is known once its client has proved itself.
        !(route.path === '/oauth2/token' && budget === 'refresh'),
    );
    for (const { route, budget } of judgedFirst) {
      vi.spyOn(api.node.rateLimits, 'take').mockImplementation((asked) => {
        if (asked !== budget) return { giveBack: () => {} };
        throw new LatchkeyError('rate_limited', { retryAfterSeconds: 7 });
      });
      run.mockClear();
      const path = route.path.replaceAll('{id}', randomUUID()).replace(/\{\w+\}/g, 'x');
      const { status, headers } = await api.call(route.method.toUpperCase(), path, {
        ...(route.path === '/oauth2/token' ? {} : { token }),
        ...exampleOf(route, basic),
        headers: { 'sec-fetch-site': 'same-origin' },
      });
      const name = `${route.method} ${route.path} over ${budget}`;
      // To the browser that proves its key by itself, 429 would be final (docs/dbsc.md).
      const refused = budget === 'device_proof' ? 503 : 429;
      expect([name, status, headers.get('retry-after')]).toEqual([name, refused, '7']);
      expect([name, run.mock.calls.length]).toEqual([name, 0]);
    }
  });
});

describe('C3: one user', () => {
  beforeEach(stopTheClock);
  const untilRefused = async (attempt: () => Promise<number>, most: number) => {
    for (let done = 0; done <= most; done += 1) if ((await attempt()) === 429) return done;
    return 'never refused';
  };

  it('cannot fill the log with profile changes', async () => {
    const { email, id } = await api.register();
    const { access_token: token } = await api.logIn({ email });
    let n = 0;
    const change = async () => {
      n += 1;
      return (await api.call('PATCH', '/auth/me', { token, body: { name: `${n}` } })).status;
    };
    expect(await untilRefused(change, 40)).toBe(20);
    for (let more = 0; more < 20; more += 1) await change();
    const events = await api.eventsOf(id);
    expect(events.filter(({ type }) => type === 'ProfileChanged')).toHaveLength(20);
  });

  // Fails when the budget is of the token, which is another after each refresh.
  it('cannot fill it with refreshes, and keeps the session', async () => {
    const { email } = await api.register();
    const { session, ...first } = await api.logIn({ email });
    let token = first.refresh_token;
    const refresh = async () => {
      const { status, body } = await api.refresh(token);
      if (status === 200) token = body.refresh_token;
      return status;
    };
    expect(await untilRefused(refresh, 200)).toBe(120);
    expect(await api.eventsOf(session.id)).toHaveLength(121);
    expect((await api.logIn({ email, device: 'mobile' })).session.device.type).toBe('mobile');
  });

  it('cannot fill it with logins', async () => {
    const { email } = await api.register();
    const body = { email, password: testPassword };
    const logIn = async () => (await api.call('POST', '/auth/login', { body })).status;
    expect(await untilRefused(logIn, 100)).toBe(60);
  });
});

describe('C2: wrong passwords from one address', () => {
  beforeEach(stopTheClock);
  // Fails when failures are counted after the hash, or successes are not given back.
  it('are refused before they are hashed, and right ones do not count', async () => {
    const { email } = await api.register();
    for (let n = 0; n < 25; n += 1) await api.logIn({ email, device: 'service' });
    const body = { email: 'nobody@example.com', password: testPassword };
    const verify = vi.spyOn(api.node.hasher, 'verify');
    const statuses: number[] = [];
    for (let n = 0; n < 25; n += 1) {
      statuses.push((await api.call('POST', '/auth/login', { body })).status);
    }
    expect(statuses).toEqual([...Array(20).fill(401), ...Array(5).fill(429)]);
    expect(verify).toHaveBeenCalledTimes(20);
  });
});

describe('C2: honest users of one address', () => {
  const perAddress = (count: number): Rule => ({ per: 'address', count, windowSeconds: 60 });

  // Fails when a login pays for a wrong password while it waits for its hash.
  it('who log in or register at once do not refuse each other', async () => {
    const node = await api.anotherNode({ PASSWORD_HASH_MEMORY_KIB: '47104' });
    const { email } = await node.register();
    limit(node, { login_failure: [perAddress(8)], register_taken: [perAddress(8)] });
    const body = { email, password: testPassword, device: { type: 'service' } };
    const logins = await Promise.all(
      Array.from({ length: 20 }, () => node.call('POST', '/auth/login', { body })),
    );
    expect(logins.map(({ status }) => status)).toEqual(Array(20).fill(200));
    const registrations = await Promise.all(
      Array.from({ length: 20 }, () => {
        const newcomer = { email: anEmail(), password: testPassword };
        return node.call('POST', '/auth/register', { body: newcomer });
      }),
    );
    expect(registrations.map(({ status }) => status)).toEqual(Array(20).fill(201));
  });

  // Fails when the limit of strangers is asked before the device token is.
  it('are let in on a known device when strangers beside them have spent the tries', async () => {
    const [{ email }, other] = [await api.register(), await api.register()];
    const { device_token: known } = await api.logIn({ email });
    const { device_token: ofOther } = await api.logIn({ email: other.email });
    limit(api, { login_failure: [perAddress(3)] });
    const tryIt = async (fields: object) => {
      const body = { email, password: testPassword, ...fields };
      return (await api.call('POST', '/auth/login', { body })).status;
    };
    const verify = vi.spyOn(api.node.hasher, 'verify');
    for (let n = 0; n < 3; n += 1)
      expect(await tryIt({ password: 'wrong', email: 'a@b.c' })).toBe(401);

    expect(await tryIt({})).toBe(429);
    expect(verify).toHaveBeenCalledTimes(3);
    for (const device_token of ['x', ofOther]) expect(await tryIt({ device_token })).toBe(429);
    expect(await tryIt({ device_token: known, email: other.email })).toBe(429);
    expect(await tryIt({ device_token: known })).toBe(200);
  });
});
