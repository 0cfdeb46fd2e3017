import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readStream } from '../../../src/eventlog/read.ts';
import { anEmail, testPassword } from '../../support/api.ts';
import { type ApiProcess, post, startApiProcess, verifyAt } from '../../support/api-process.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../../support/postgres.ts';
import { openTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';

let database: TestDatabase;
let toPostgres: TcpProxy;
let api: ApiProcess;
let toApi: TcpProxy;
beforeAll(async () => {
  database = await createTestDatabase();
  toPostgres = await openTcpProxy(database.appUrl);
  api = await startApiProcess(toPostgres.url);
  toApi = await openTcpProxy(api.url);
});
afterAll(async () => {
  await toApi.close();
  await api.stop();
  await toPostgres.close();
  await database.drop();
});

async function newSession() {
  const email = anEmail();
  const registered = await post(`${api.url}/auth/register`, { email, password: testPassword });
  const { body } = await post(`${api.url}/auth/login`, { email, password: testPassword });
  const { access_token, refresh_token, session } = body;
  return { email, userId: registered.body.user.id, access_token, refresh_token, id: session.id };
}
const typesOf = (streamId: string) =>
  withClient(database.ownerUrl, async (owner) =>
    (await readStream(owner, streamId)).map(({ type }) => type),
  );
const usersWith = (email: string) =>
  withClient(database.ownerUrl, async (owner) => {
    const { rows } = await owner.query(
      "select count(*)::integer as n from latchkey.events where type = 'UserRegistered'",
    );
    const again = await post(`${api.url}/auth/login`, { email, password: testPassword });
    return { registrations: rows[0].n as number, id: again.body.user.id as string };
  });

describe('an answer that was lost on the way to the client', () => {
  /** Sends through a network that loses the answer; resolves when the API had done its part. */
  async function lose(path: string, body: object, headers: Record<string, string> = {}) {
    const lost = toApi.loseAnswerTo(`POST ${path}`);
    await expect(post(toApi.url + path, body, headers)).rejects.toThrow();
    await lost;
  }

  it('of a refresh: the retry gets the same successor, and there is one event', async () => {
    const { id, refresh_token } = await newSession();
    await lose('/auth/refresh', { refresh_token });
    const retries = [
      await post(`${toApi.url}/auth/refresh`, { refresh_token }),
      await post(`${api.url}/auth/refresh`, { refresh_token }),
    ];
    expect(retries.map(({ status }) => status)).toEqual([200, 200]);
    expect(retries[0]!.body.refresh_token).toBe(retries[1]!.body.refresh_token);
    expect(await typesOf(id)).toEqual(['SessionStarted', 'SessionRefreshed']);
  });

  it('of a logout: the retry is 204, and there is one event', async () => {
    const { id, refresh_token, access_token } = await newSession();
    await lose('/auth/logout', { refresh_token });
    expect((await post(`${toApi.url}/auth/logout`, { refresh_token })).status).toBe(204);
    expect(await verifyAt(api.url, access_token)).toBe(401);
    expect(await typesOf(id)).toEqual(['SessionStarted', 'SessionRevoked']);
  });

  // Fails when the id of the new user does not follow from the Idempotency-Key.
  it('of a registration with an Idempotency-Key: the retry gets the same user; without it, 409', async () => {
    const registration = { email: anEmail(), password: testPassword };
    const key = { 'idempotency-key': anEmail() };
    const before = await usersWith((await newSession()).email);
    await lose('/auth/register', registration, key);
    const retry = await post(`${toApi.url}/auth/register`, registration, key);
    expect(retry.status).toBe(201);
    const after = await usersWith(registration.email);
    expect(after).toEqual({ registrations: before.registrations + 1, id: retry.body.user.id });
    expect((await post(`${toApi.url}/auth/register`, registration)).status).toBe(409);
    const misused = { ...registration, email: anEmail() };
    expect((await post(`${toApi.url}/auth/register`, misused, key)).status).toBe(409);
  });
});

describe('an answer that was lost on the way from Postgres', () => {
  /**
   * How the Bind message of a statement that appends begins, `append` or `append-one`: what follows
   * it was committed and is never heard of.
   */
  const append = '\0append';

  // Fails when a lost connection is answered by deciding again, or by an error, instead of by reading back.
  it('of a refresh is found in the log: one answer, one event', async () => {
    const { id, refresh_token } = await newSession();
    const lost = toPostgres.loseAnswerTo(append);
    const answer = await post(`${api.url}/auth/refresh`, { refresh_token });
    await lost;
    expect(answer.status).toBe(200);
    expect(await typesOf(id)).toEqual(['SessionStarted', 'SessionRefreshed']);
    const next = await post(`${api.url}/auth/refresh`, {
      refresh_token: answer.body.refresh_token,
    });
    expect(next.status).toBe(200);
  });

  it('of a logout, too, and this node refuses the token at once', async () => {
    const { id, refresh_token, access_token } = await newSession();
    const lost = toPostgres.loseAnswerTo(append);
    expect((await post(`${api.url}/auth/logout`, { refresh_token })).status).toBe(204);
    await lost;
    expect(await verifyAt(api.url, access_token)).toBe(401);
    expect(await typesOf(id)).toEqual(['SessionStarted', 'SessionRevoked']);
  });

  it('of a login, too: the session that was told of is the one that lives', async () => {
    const { email, id, userId } = await newSession();
    const lost = toPostgres.loseAnswerTo(append);
    const { status, body } = await post(`${api.url}/auth/login`, { email, password: testPassword });
    await lost;
    expect(status).toBe(200);
    expect(await typesOf(body.session.id)).toEqual(['SessionStarted']);
    const { rows } = await withClient(database.ownerUrl, (owner) =>
      owner.query('select 1 from latchkey.sessions where user_id = $1', [userId]),
    );
    expect(rows).toHaveLength(2);
    expect(await typesOf(id)).toEqual(['SessionStarted', 'SessionRevoked']);
    expect(await verifyAt(api.url, body.access_token)).toBe(204);
  });

  it('of a registration, too', async () => {
    const registration = { email: anEmail(), password: testPassword };
    const before = await usersWith((await newSession()).email);
    const lost = toPostgres.loseAnswerTo(append);
    const { status, body } = await post(`${api.url}/auth/register`, registration);
    await lost;
    expect(status).toBe(201);
    const after = await usersWith(registration.email);
    expect(after).toEqual({ registrations: before.registrations + 1, id: body.user.id });
  });
});
