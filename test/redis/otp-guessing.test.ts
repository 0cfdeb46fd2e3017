import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { codeInMail } from '../support/mail-proofs.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const guesses = 10_000;
const userCount = 20;
const handlesPerUser = 10;
const addressCount = 1_000;
const lanes = 16;

let redis: TestRedis;
let nodes: TestApi[];
beforeAll(async () => {
  redis = await startRedis();
  const first = await startTestApi({
    RATE_LIMITS: 'on',
    REDIS_URL: redis.url,
    TRUSTED_PROXIES: '127.0.0.1',
    DEVICE_POLICY_WEB: 'unlimited',
  });
  nodes = [first, await first.anotherNode()];
}, 60_000);
afterAll(async () => {
  await nodes[0]!.stop();
  await redis.stop();
});

/** Each in a network of its own, so that no limit of a network helps. */
const addresses = Array.from({ length: addressCount }, (_, n) => `11.${n >> 8}.${n & 255}.7`);
const post = (n: number, path: string, body: unknown) =>
  nodes[n % 2]!.call('POST', path, {
    body,
    headers: { 'x-forwarded-for': addresses[n % addressCount]! },
  });

async function askedBy(n: number, email: string): Promise<string> {
  const { status, body } = await post(n, '/auth/request-otp', { email });
  if (status !== 202) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body.request_id;
}

/**
 * The chance of an entry is (compared guesses) / 10^6: at most five for each code, so 100 here, or
 * 1 in 10,000. docs/mail-proofs.md has the arithmetic of an attack that goes on.
 */
it('lets nobody in by ten thousand guesses from a thousand addresses', async () => {
  const [api] = nodes as [TestApi];
  const handles: string[] = [];
  const ids: string[] = [];
  for (let user = 0; user < userCount; user += 1) {
    const email = `guessed.${user}@example.com`;
    const { status, body } = await post(user * 50, '/auth/register', {
      email,
      password: 'a long and ordinary sentence',
    });
    expect(status).toBe(201);
    ids.push(body.user.id);
    for (let n = 0; n < handlesPerUser; n += 1) {
      handles.push(await askedBy(user * handlesPerUser + n, email));
    }
  }
  expect(new Set(handles).size).toBe(userCount * handlesPerUser);
  const right = await codeInMail(api.node, handles[0]!);

  const statuses = new Map<number, number>();
  let at = 0;
  const lane = async () => {
    for (let n = at++; n < guesses; n = at++) {
      const otp = String((n * 611_953) % 1_000_000).padStart(6, '0');
      const request_id = handles[n % handles.length]!;
      const { status } = await post(n, '/auth/login', { request_id, otp });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));

  let recorded = 0;
  for (const id of ids) {
    const events = await api.eventsOf(id);
    recorded += events.filter(({ type }) => type === 'OtpCheckFailed').length;
  }
  console.log(
    `${guesses} guesses: statuses ${JSON.stringify([...statuses])}; ${recorded} failures recorded`,
  );
  expect(statuses.get(200) ?? 0).toBe(0);
  // The rest was shed by a busy machine.
  expect(statuses.get(401) ?? 0).toBeGreaterThan(guesses * 0.5);
  // Ten before the lock, and few after it: the log does not grow with the guesses.
  expect(recorded).toBeLessThanOrEqual(userCount * 20);

  // The same harness lets the right code in: of a user whom nobody has guessed at.
  const handle = await askedBy(7, 'guessed.0@example.com').catch(() => null);
  expect(handle).toBeNull();
  const fresh = { email: 'fresh@example.com', password: 'a long and ordinary sentence' };
  expect((await post(900, '/auth/register', fresh)).status).toBe(201);
  const request_id = await askedBy(901, fresh.email);
  const otp = await codeInMail(api.node, request_id);
  expect((await post(902, '/auth/login', { request_id, otp })).status).toBe(200);
  // And refuses it for one who is locked.
  const locked = { request_id: handles[0]!, otp: right };
  expect((await post(903, '/auth/login', locked)).status).toBe(401);
}, 1_200_000);
