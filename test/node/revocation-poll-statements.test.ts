import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LogGuard } from '../../src/eventlog/log-guard.ts';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import { NodeMemory } from '../../src/node/node-memory.ts';
import { RevocationPoll } from '../../src/node/revocation-poll.ts';
import { createPools, type Pools } from '../../src/platform/postgres/pool.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { silentLogger } from '../support/cluster.ts';
import { withClient } from '../support/postgres.ts';

let api: TestApi;
let pools: Pools;
let memory: NodeMemory;
let poll: RevocationPoll;
let statements: string[];

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

beforeEach(async () => {
  const { config, keyWrap, cells } = api.node;
  pools = createPools({
    databaseUrl: api.database.appUrl,
    readers: 1,
    applicationName: 'test',
    logger: silentLogger,
  });
  memory = new NodeMemory(config);
  poll = new RevocationPoll({
    connection: recorded(pools.dedicated('test poll')),
    memory,
    keyWrap,
    seal: cells.home.readers.seal,
    // Polls when the test says so.
    intervalMs: 3_600_000,
    guard: new LogGuard(),
    log: silentLogger,
  });
  statements = [];
  await poll.start();
});
afterEach(async () => {
  await poll.stop();
  await pools.end();
});

function recorded(connection: ReturnType<Pools['dedicated']>) {
  return {
    use: <T>(work: (client: Queryable) => Promise<T>, options?: { timeoutMs?: number }) =>
      connection.use(
        (client) =>
          work({
            query: ((statement: { text: string }) => {
              statements.push(statement.text);
              return client.query(statement);
            }) as Queryable['query'],
          }),
        options,
      ),
    get generation() {
      return connection.generation;
    },
    close: () => connection.close(),
  };
}

async function pollStatements(): Promise<string[]> {
  statements = [];
  await poll.refresh();
  return statements;
}

/**
 * A poll that finds nothing new asks one thing. Other tests share the cluster: a transaction of
 * theirs is something new to look at, whatever it did.
 */
async function expectIdlePoll(): Promise<void> {
  await expect.poll(async () => (await pollStatements()).length, { interval: 1 }).toBe(1);
}

async function endSession(): Promise<string> {
  const { email } = await api.register();
  const { access_token: token, session } = await api.logIn({ email });
  expect((await api.call('POST', '/auth/logout', { token })).status).toBe(204);
  return session.id;
}

describe('the revocation poll', () => {
  // Fails when it asks who holds the fence: that list grows with connections and open appends.
  it('F4: never looks at pg_locks, idle or busy', async () => {
    await expectIdlePoll();
    await withClient(api.database.ownerUrl, async (holder) => {
      await holder.query('begin');
      await holder.query(`select latchkey.hold_fence(), nextval('latchkey.event_pos')`);
      const before = memory.revocations.size;
      await endSession();
      const busy = await pollStatements();
      expect(memory.revocations.size).toBe(before + 1);
      expect(busy.length).toBeLessThanOrEqual(3);
      expect(busy.join('\n')).not.toContain('pg_locks');
      await expectIdlePoll();
      await holder.query('rollback');
    });
  });
});
