import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readStream } from '../../../src/eventlog/read.ts';
import { anEmail, testPassword } from '../../support/api.ts';
import { type ApiProcess, post, startApiProcess, verifyAt } from '../../support/api-process.ts';
import { untilWaiting } from '../../support/held-streams.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../../support/postgres.ts';
import { served } from '../../support/served.ts';

let database: TestDatabase;
let nodes: ApiProcess[];
beforeAll(async () => {
  database = await createTestDatabase();
  nodes = await startNodes();
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await database.drop();
});

/** A restart on a busy machine takes longer than the usual grace, which has tests of its own. */
const env = { REFRESH_GRACE_SECONDS: '600' };
const startNodes = () =>
  Promise.all([startApiProcess(database.appUrl, env), startApiProcess(database.appUrl, env)]);
const node = (index: number) => nodes[index % 2]!.url;

async function newUser() {
  const email = anEmail();
  const { body } = await post(`${node(0)}/auth/register`, { email, password: testPassword });
  return { email, id: body.user.id as string };
}
const logIn = (index: number, email: string, type = 'web') =>
  post(`${node(index)}/auth/login`, { email, password: testPassword, device: { type } });
const refresh = (index: number, refresh_token: string) =>
  served(() => post(`${node(index)}/auth/refresh`, { refresh_token }));
const times = <T>(count: number, work: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));
const typesOf = (streamId: string) =>
  withClient(database.ownerUrl, async (owner) =>
    (await readStream(owner, streamId)).map(({ type }) => type),
  );

describe('two API processes on one database', () => {
  // Fails when the successor is drawn at random instead of derived, or when the parent's repeat is refused.
  it('answer 200 parallel refreshes of one token with one successor, again after a restart', async () => {
    const { email } = await newUser();
    const { body } = await logIn(0, email);
    const first = body.refresh_token as string;

    const before = await times(200, (index) => refresh(index, first));
    await Promise.all([nodes[0]!.stop(), nodes[1]!.kill9()]);
    nodes = await startNodes();
    const after = await times(200, (index) => refresh(index, first));

    const answers = [...before, ...after];
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const successors = new Set(answers.map((answer) => answer.body.refresh_token as string));
    expect(successors.size).toBe(1);
    expect(await typesOf(body.session.id)).toEqual(['SessionStarted', 'SessionRefreshed']);
    expect(await verifyAt(node(1), answers[0]!.body.access_token)).toBe(204);
    expect((await refresh(0, [...successors][0]!)).status).toBe(200);
  }, 60_000);

  // Fails when a login does not guard its user, or reads the sessions before the guard.
  it('leave one session of 50 logins that are released together after the password check', async () => {
    const { email, id } = await newUser();
    const answers = await withClient(database.ownerUrl, async (owner) => {
      await owner.query('begin');
      await owner.query('select 1 from latchkey.streams where stream_id = $1 for update', [id]);
      const logins = times(50, (index) => logIn(index, email));
      await untilWaiting(database, `query like '%append%'`, 2);
      await owner.query('commit');
      return logins;
    });

    // A login that missed its deadline on a busy machine is answered 503, committed or not.
    const given = answers.filter(({ status }) => status !== 503).map(({ body }) => body);
    expect(given.length).toBeGreaterThan(1);
    const accepted = async () => {
      const statuses = await times(given.length, (n) => verifyBoth(given[n].access_token));
      return statuses.flat().filter((status) => status === 204).length;
    };
    // The last of them, at both nodes, unless it is one whose answer was 503.
    const all = given.length === 50;
    await expect.poll(accepted).toBeLessThanOrEqual(2);
    if (all) expect(await accepted()).toBe(2);
    const refreshed = await times(given.length, (n) => refresh(n, given[n].refresh_token));
    const codes = refreshed.map(({ status, body }) => (status === 200 ? 'live' : body.code));
    const live = codes.filter((code) => code === 'live').length;
    expect(all ? [1] : [0, 1]).toContain(live);
    expect(codes.filter((code) => code === 'session_superseded')).toHaveLength(given.length - live);
    const { rows } = await withClient(database.ownerUrl, (owner) =>
      owner.query(
        `select status, end_reason, count(*)::integer as count from latchkey.sessions
        where user_id = $1 group by status, end_reason order by status`,
        [id],
      ),
    );
    expect(rows).toEqual([
      { status: 'ended', end_reason: 'superseded', count: expect.any(Number) },
      { status: 'live', end_reason: null, count: 1 },
    ]);
    expect(rows[0].count).toBeGreaterThanOrEqual(given.length - 1);
  }, 60_000);

  // Fails when a refresh appends without the version it was decided on.
  it('leave no live token behind when a refresh races a logout of the session', async () => {
    for (let round = 0; round < 25; round += 1) {
      const { email } = await newUser();
      const { body } = await logIn(round, email);
      const [refreshed, loggedOut] = await Promise.all([
        refresh(round, body.refresh_token),
        post(`${node(round + 1)}/auth/logout`, { refresh_token: body.refresh_token }),
      ]);
      expect(loggedOut.status).toBe(204);
      expect([200, 401]).toContain(refreshed.status);
      const issued = refreshed.status === 200 ? [body, refreshed.body] : [body];
      for (const { access_token, refresh_token } of issued) {
        expect(await verifyEverywhere(access_token)).toBe(401);
        expect((await refresh(round, refresh_token)).body.code).toBe('session_ended');
      }
    }
  }, 60_000);

  it('leave no token of before it behind when logout-all races refreshes and logins', async () => {
    for (let round = 0; round < 15; round += 1) {
      const { email, id } = await newUser();
      const web = (await logIn(round, email)).body;
      const mobile = (await logIn(round, email, 'mobile')).body;
      const [ended, refreshed, desktop] = await Promise.all([
        post(`${node(round)}/auth/logout-all`, {}, { authorization: `Bearer ${web.access_token}` }),
        refresh(round + 1, mobile.refresh_token),
        logIn(round + 1, email, 'desktop'),
      ]);
      expect(ended.status).toBe(200);
      const survivors = [web, mobile, ...(refreshed.status === 200 ? [refreshed.body] : [])];
      for (const { access_token, refresh_token } of survivors) {
        expect(await verifyEverywhere(access_token)).toBe(401);
        expect((await refresh(round, refresh_token)).status).toBe(401);
      }
      // The login began before or after: it is ended and counted, or it lives.
      const isLive = (await refresh(round, desktop.body.refresh_token)).status === 200;
      expect(ended.body.ended).toBe(isLive ? 2 : 3);
      const { rows } = await withClient(database.ownerUrl, (owner) =>
        owner.query(
          `select count(*)::integer as live from latchkey.sessions
          where user_id = $1 and status = 'live'`,
          [id],
        ),
      );
      expect(rows).toEqual([{ live: isLive ? 1 : 0 }]);
    }
  }, 60_000);

  // How soon the other node hears of it is measured in test/fault/pool-starvation.test.ts.
  it('refuse at the other node what one of them ended, and at this one at once', async () => {
    const { email } = await newUser();
    const { body } = await logIn(0, email);
    expect(await verifyAt(node(1), body.access_token)).toBe(204);
    await post(`${node(0)}/auth/logout`, { refresh_token: body.refresh_token });
    expect(await verifyAt(node(0), body.access_token)).toBe(401);
    expect(await verifyEverywhere(body.access_token)).toBe(401);
  });
});

const verifyBoth = (token: string) =>
  Promise.all([verifyAt(node(0), token), verifyAt(node(1), token)]);

/**
 * 401 once both nodes refuse the token: the one that made a change knows it first. Well below the
 * lease: a node that hears of nothing would be refused by that.
 */
async function verifyEverywhere(token: string): Promise<number> {
  await expect.poll(() => verifyBoth(token)).toEqual([401, 401]);
  return 401;
}
