import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, startTestApi, type TestApi } from '../support/api.ts';
import { BoundBrowser } from '../support/bound-browser.ts';
import { withClient } from '../support/postgres.ts';
import { served } from '../support/served.ts';

// `BOUND_SESSION_RUNS=1000` shows the figure of docs/guarantees.md.
const runs = Number(process.env.BOUND_SESSION_RUNS ?? 200);
const sessionsPerUser = 100;
const atOnce = 4;

let api: TestApi;
let now = Date.now();
beforeAll(async () => {
  api = await startTestApi({
    ISSUER: 'https://latchkey.test',
    DEVICE_POLICY_WEB: 'unlimited',
  });
  Object.assign(api.node, { now: () => now });
});
afterAll(() => api.stop());

async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}

/** A browser whose session is bound, and the refresh token that it presents again and again. */
interface Run {
  readonly browser: BoundBrowser;
  readonly presented: string;
  readonly answers: string[];
}

let unavailable = 0;

/** A 503 is no logout. */
const answered = (ask: () => Promise<Answer>) =>
  served(ask, () => {
    unavailable += 1;
  });

async function startRun(email: string): Promise<Run> {
  const browser = new BoundBrowser(api);
  await answered(() => browser.logIn(email));
  await answered(() => browser.register());
  expect((await answered(() => browser.refresh())).status).toBe(200);
  return { browser, presented: browser.refreshToken, answers: [] };
}

/** A refresh whose answer the browser lost: it presents the same token the next time. */
async function present({ browser, presented, answers }: Run): Promise<void> {
  const asker = browser.stolen();
  asker.cookies.set('__Host-latchkey_refresh', presented);
  const { status } = await answered(() => asker.refresh());
  answers.push(status === 200 ? asker.refreshToken : `refused: ${status}`);
}

async function presentLater(run: Run): Promise<void> {
  run.browser.forgetBoundCookie();
  expect((await answered(() => run.browser.proveKey())).status).toBe(200);
  await present(run);
}

describe('one refresh token of a bound session', () => {
  it(`presented seven times over three days logs nobody out in ${runs} runs`, async () => {
    const users = await Promise.all(
      Array.from({ length: runs / sessionsPerUser }, () => api.register()),
    );
    const bound: Run[] = [];
    const emails = users.flatMap(({ email }) => Array(sessionsPerUser).fill(email) as string[]);
    await forEach(emails, async (email) => void bound.push(await startRun(email)));
    await forEach(bound, async (run) => {
      await Promise.all([1, 2, 3, 4, 5].map(() => present(run)));
    });
    now += 465_000;
    await forEach(bound, presentLater);
    now += 3 * 86_400_000;
    await forEach(bound, presentLater);

    const successors = bound.map(({ answers }) => new Set(answers));
    const refused = bound
      .flatMap(({ answers }) => answers)
      .filter((text) => !text.startsWith('lkr_'));
    const logouts = await withClient(api.database.ownerUrl, async (owner) => {
      const { rows } = await owner.query(
        `select count(*)::integer as n from latchkey.events
          where type in ('SessionRevoked', 'SessionExpired', 'RefreshTokenReuseDetected')`,
      );
      return rows[0].n as number;
    });
    console.log(
      `bound: ${bound.length} runs, ${refused.length} refused, ${logouts} logouts; ` +
        `asked again after a 503: ${unavailable}`,
    );
    expect(bound).toHaveLength(runs);
    expect(refused).toEqual([]);
    expect(logouts).toBe(0);
    expect(successors.every(({ size }) => size === 1)).toBe(true);
  }, 1_200_000);
});
