import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import { readMoment } from '../../src/eventlog/snapshot.ts';
import {
  findRevocations,
  greatestXactRead,
  nextPass,
  nothingRead,
} from '../../src/tables/revocation.ts';
import { seededRandom } from '../rebuild/ingredients.ts';
import {
  createTestDatabase,
  startPrivatePostgres,
  type TestDatabase,
} from '../support/postgres.ts';

let database: TestDatabase;
let clients: pg.Client[];

beforeEach(async () => {
  database = await createTestDatabase();
  clients = [];
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await database.drop();
});

async function connect(connectionString = database.ownerUrl): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  return client;
}

/** In the transaction that `client` is in; the position is drawn as an append draws it. */
async function revoke(client: pg.Client, target: string): Promise<void> {
  await client.query(
    `insert into latchkey.revocations (pos, target_kind, target, until)
      values (nextval('latchkey.event_pos'), 'session', $1, now() + interval '1 hour')`,
    [target],
  );
}

/** Follows the revocations as a node does, page by page from moment to moment. */
class Follower {
  readonly found: string[] = [];
  #client: pg.Client;
  #seen = nothingRead;

  constructor(client: pg.Client) {
    this.#client = client;
  }

  reconnect(client: pg.Client): void {
    this.#client = client;
  }

  /** How many entries this poll read. */
  async poll(limit = 3): Promise<number> {
    const client = this.#client as unknown as Queryable;
    const { snapshot } = await readMoment(client);
    const before = this.found.length;
    let { after, open } = nextPass(this.#seen);
    let { greatestXact } = this.#seen;
    for (;;) {
      const page = await findRevocations(client, { after, open, limit });
      this.found.push(...page.revocations.map(({ target }) => target));
      greatestXact = greatestXactRead(greatestXact, snapshot, page.revocations);
      if (page.next === null) break;
      [after, open] = [page.next, []];
    }
    this.#seen = { snapshot, greatestXact };
    return this.found.length - before;
  }
}

describe('following the revocations', () => {
  // Fails when only what began after the last moment is asked for.
  it('finds what an append brings that was open, with an older position', async () => {
    const [slow, fast] = [await connect(), await connect()];
    const follower = new Follower(await connect());
    await slow.query('begin');
    await revoke(slow, 'slow');
    await revoke(fast, 'fast');
    await follower.poll();
    expect(follower.found).toEqual(['fast']);

    await slow.query('commit');
    await follower.poll();
    expect(follower.found).toEqual(['fast', 'slow']);
  });

  // Fails when the place waits for the open append, as a fence makes it do.
  it('F19: reads nothing twice because an append is held open', async () => {
    const [held, busy] = [await connect(), await connect()];
    const follower = new Follower(await connect());
    await held.query('begin');
    await held.query('select latchkey.hold_fence()');
    await revoke(held, 'held');
    for (let n = 0; n < 20; n += 1) await revoke(busy, `busy ${n}`);
    expect(await follower.poll()).toBe(20);

    await revoke(busy, 'one more');
    expect(await follower.poll()).toBe(1);
    expect(await follower.poll()).toBe(0);
    await held.query('commit');
    expect(await follower.poll()).toBe(1);
  });

  it('pages through what one open transaction brings, however much', async () => {
    const bulk = await connect();
    const follower = new Follower(await connect());
    await bulk.query('begin');
    for (let n = 0; n < 10; n += 1) await revoke(bulk, `bulk ${n}`);
    await revoke(await connect(), 'beside it');
    await follower.poll();
    await bulk.query('commit');
    await follower.poll();
    expect(new Set(follower.found).size).toBe(11);
  });

  // Fails when the reader goes on from the first id that its last snapshot had not seen given out.
  it('misses no commit under an id that is given out again after a crash', async () => {
    const server = await startPrivatePostgres({ settings: { wal_writer_delay: '10s' } });
    try {
      const [appender, aborted] = [await connect(server.ownerUrl), await connect(server.ownerUrl)];
      const follower = new Follower(await connect(server.ownerUrl));
      await revoke(appender, 'before the crash');
      const startOf = async (client: pg.Client) =>
        (await client.query('select pg_postmaster_start_time()::text as at')).rows[0].at;
      const started = await startOf(appender);
      const idOf = async (client: pg.Client) =>
        BigInt((await client.query('select pg_current_xact_id()::text as id')).rows[0].id);
      await aborted.query('begin');
      const abortedId = await idOf(aborted);
      await aborted.query('rollback');
      await follower.poll();

      // One backend is killed, as the kernel does when memory is short; the postmaster lives on.
      const { rows } = await aborted.query('select pg_backend_pid() as pid');
      process.kill(rows[0].pid, 'SIGKILL');
      const again = await vi.waitUntil(() => connect(server.ownerUrl).catch(() => null), 15_000);
      follower.reconnect(again);
      expect(await startOf(again)).toBe(started);
      await again.query('begin');
      expect(await idOf(again)).toBe(abortedId);
      await revoke(again, 'after the crash');
      await again.query('commit');

      expect(await follower.poll()).toBe(1);
      expect(follower.found).toEqual(['before the crash', 'after the crash']);
    } finally {
      await Promise.all(clients.splice(0).map((client) => client.end().catch(() => {})));
      await server.remove();
    }
  });

  it('misses no commit of many that overlap, where a reader of higher positions does', async () => {
    const random = seededRandom(11);
    const [follower, naive] = [new Follower(await connect()), await connect()];
    const [committed, seenByNaive] = [new Set<string>(), new Set<string>()];
    let highest = 0;
    let writing = true;
    let hasNaiveMissed = false;
    // Which commits overlap is up to the machine: it goes on until the other reader has missed one.
    const write = async (writer: number) => {
      const client = await connect();
      for (let n = 0; n < 60 || (!hasNaiveMissed && n < 3_000); n += 1) {
        const target = `${writer}/${n}`;
        await client.query('begin');
        await revoke(client, target);
        for (let pause = Math.floor(random() * 4); pause > 0; pause -= 1)
          await client.query('select 1');
        const rollBack = Math.floor(random() * 8) === 0;
        await client.query(rollBack ? 'rollback' : 'commit');
        if (!rollBack) committed.add(target);
      }
    };
    const read = async () => {
      do {
        await follower.poll();
        const committedBefore = [...committed];
        const { rows } = await naive.query(
          'select pos::int, target from latchkey.revocations where pos > $1 order by pos',
          [highest],
        );
        for (const { target } of rows) seenByNaive.add(target);
        highest = rows.at(-1)?.pos ?? highest;
        hasNaiveMissed ||= committedBefore.some((target) => !seenByNaive.has(target));
      } while (writing);
      await follower.poll();
    };
    const reading = read();
    await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
    writing = false;
    await reading;

    expect(committed.size).toBeGreaterThan(300);
    const found = new Set(follower.found);
    expect([...committed].filter((target) => !found.has(target))).toEqual([]);
    expect([...committed].filter((target) => !seenByNaive.has(target)).length).toBeGreaterThan(0);
  });
});
