import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Fence } from '../../src/eventlog/fence.ts';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import type { RecordedEvent } from '../../src/eventlog/read.ts';
import { Tail, type TailOptions } from '../../src/eventlog/tail.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { commandOf, touch } from '../support/session-commands.ts';

let log: TestLog;
let slow: pg.Client;
const tails: Tail[] = [];

beforeAll(async () => {
  log = await openTestLog();
  slow = await connect();
});
afterEach(async () => {
  await slow.query('rollback');
  await Promise.all(tails.splice(0).map((tail) => tail.stop()));
});
afterAll(async () => {
  await slow.end();
  await log.close();
});

async function connect(url = log.database.ownerUrl): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function head(): Promise<number> {
  const { rows } = await log.owner.query(
    'select (case when is_called then last_value else 0 end)::int as last from latchkey.event_pos',
  );
  return rows[0].last;
}

const append = () => log.writer.append(commandOf([touch(newId(), 'none')]));

/** An append in a transaction that stays open: its position is drawn, its event not visible. */
async function appendSlowly(): Promise<number> {
  await slow.query('begin');
  const { rows } = await slow.query(
    `select (latchkey.append(array[0], array[$1::uuid], array[1::smallint], array[null::uuid],
       array[0], array[null::bigint], array[false], array[1], array['UserEnabled'], array[1::smallint],
       array['{}'::jsonb], array[null::bytea], array['{}'::jsonb], '{}')).last_positions[1]::int as pos`,
    [newId()],
  );
  return rows[0].pos;
}

async function startTail(options: Partial<TailOptions> = {}) {
  const delivered: number[] = [];
  const backends: number[] = [];
  const errors: unknown[] = [];
  const tail = new Tail({
    connect: async () => {
      const client = await connect(log.database.appUrl);
      const { rows } = await client.query('select pg_backend_pid() as pid');
      backends.push(rows[0].pid);
      return { client, close: () => client.end() };
    },
    after: await head(),
    handle: async (events) => {
      delivered.push(...events.map(({ pos }) => pos));
    },
    onError: (error) => errors.push(error),
    pollMs: 5,
    ...options,
  });
  tails.push(tail);
  tail.start();
  return { tail, delivered, backends, errors };
}

/** Until the tail has polled again, from beginning to end, at least twice. */
async function polledTwice(tail: Tail): Promise<void> {
  for (let poll = 0; poll < 2; poll += 1) {
    const seen = tail.polls;
    await expect.poll(() => tail.polls, { interval: 2 }).toBeGreaterThan(seen);
  }
}

describe('the tail', () => {
  test('delivers a commit that becomes visible without the sequence moving', async () => {
    const { tail, delivered } = await startTail();
    const pos = await appendSlowly();
    await polledTwice(tail);
    const quiet = await head();
    expect(delivered).toEqual([]);
    await slow.query('commit');
    await expect.poll(() => delivered).toEqual([pos]);
    expect(await head()).toBe(quiet);
  });

  test('holds back what was committed after a slow append, and keeps the order', async () => {
    const { tail, delivered } = await startTail();
    const first = await appendSlowly();
    await append();
    await append();
    await polledTwice(tail);
    expect(delivered).toEqual([]);
    await slow.query('commit');
    await expect.poll(() => delivered).toEqual([first, first + 1, first + 2]);
  });

  test('passes over what a rollback drew', async () => {
    const { delivered } = await startTail();
    const lost = await appendSlowly();
    await append();
    await slow.query('rollback');
    await append();
    await expect.poll(() => delivered).toEqual([lost + 1, lost + 2]);
  });

  test('is not held up by a write transaction that does not append', async () => {
    const { delivered } = await startTail();
    await slow.query('begin');
    await slow.query(
      `insert into latchkey.checkpoints select 'x', gen_random_uuid(), gen_random_uuid(), 0, now()`,
    );
    const { streams } = await append();
    await expect.poll(() => delivered).toEqual([streams[0]!.lastPos]);
  });

  test('gives a batch again that its handler failed on, and skips nothing', async () => {
    const handled: number[][] = [];
    let failures = 2;
    const { tail } = await startTail({
      handle: async (events: readonly RecordedEvent[]) => {
        handled.push(events.map(({ pos }) => pos));
        if (failures-- > 0) throw new Error('not today');
      },
    });
    const before = tail.cursor;
    await append();
    await expect.poll(() => tail.cursor).toBeGreaterThan(before);
    expect(handled.length).toBeGreaterThanOrEqual(3);
    expect(handled[0]![0]).toBe(before + 1);
    expect(handled[1]![0]).toBe(before + 1);
    expect(handled[2]![0]).toBe(before + 1);
    expect(tail.cursor).toBe(await head());
  });

  test('goes on after its connection was cut, with every event once', async () => {
    const { tail, delivered, backends, errors } = await startTail();
    const start = tail.cursor;
    for (let cut = 1; cut <= 3; cut += 1) {
      await append();
      await expect.poll(() => backends.length).toBeGreaterThanOrEqual(cut);
      await log.owner.query('select pg_terminate_backend($1)', [backends.at(-1)]);
      await append();
      await expect.poll(() => backends.length).toBeGreaterThan(cut);
    }
    await expect.poll(() => tail.cursor).toBe(await head());
    expect(delivered).toEqual(Array.from({ length: 6 }, (_, n) => start + 1 + n));
    expect(errors.length).toBeGreaterThanOrEqual(3);
  });

  test('delivers nothing from a server that is not a writable primary', async () => {
    const { delivered, errors } = await startTail({
      connect: async () => {
        const client = await connect();
        await client.query('set default_transaction_read_only = on');
        return { client, close: () => client.end() };
      },
    });
    await append();
    await expect.poll(() => errors.length).toBeGreaterThanOrEqual(2);
    expect(String(errors[0])).toMatch(/not a writable primary/);
    expect(delivered).toEqual([]);
  });

  test('reads a backlog in batches', async () => {
    const sizes: number[] = [];
    const caughtUp: (number | null)[] = [];
    const after = await head();
    for (let n = 0; n < 25; n += 1) await append();
    const { tail } = await startTail({
      after,
      batchMax: 10,
      handle: async (events, caughtUpTo) => {
        sizes.push(events.length);
        caughtUp.push(caughtUpTo);
      },
    });
    await expect.poll(() => tail.cursor).toBe(after + 25);
    expect(sizes).toEqual([10, 10, 5]);
    expect(caughtUp).toEqual([null, null, after + 25]);
  });

  // Fails when a quiet log is read at each poll, or the end of one that a rollback left.
  test('reads nothing while nothing has settled, and says how far that is', async () => {
    const reads: unknown[] = [];
    const idleUpTo: number[] = [];
    const { tail, delivered } = await startTail({
      connect: async () => {
        const client = await connect(log.database.appUrl);
        const query = (statement: pg.QueryConfig) => {
          if (statement.name === 'read-range') reads.push(statement.values);
          return client.query(statement);
        };
        return { client: { query } as Queryable, close: () => client.end() };
      },
      onIdle: async (caughtUpTo) => void idleUpTo.push(caughtUpTo),
    });
    await append();
    const lost = await appendSlowly();
    await slow.query('rollback');
    await expect.poll(() => idleUpTo.at(-1)).toBe(lost);
    const before = reads.length;
    await polledTwice(tail);
    expect(reads).toHaveLength(before);
    await append();
    await expect.poll(() => delivered.at(-1)).toBe(lost + 1);
  });
});

describe('the fence', () => {
  test('settles a position once no append that could own it is under way, and not before', async () => {
    const fence = new Fence(log.owner);
    const settled = await fence.advance();
    const pos = await appendSlowly();
    await append();
    expect(await fence.advance()).toBe(settled);
    expect(fence.waiting).toBe(true);
    await slow.query('commit');
    expect(await fence.advance()).toBe(pos + 1);
    expect(fence.waiting).toBe(false);
  });

  test('moves on between two slow appends that overlap', async () => {
    const fence = new Fence(log.owner);
    const other = await connect();
    const first = await appendSlowly();
    await fence.advance();
    await other.query('begin');
    await other.query('select latchkey.hold_fence()');
    await slow.query('commit');
    expect(await fence.advance()).toBe(first);
    await other.query('commit');
    await other.end();
  });

  test('stays short under an append that never ends', async () => {
    const fence = new Fence(log.owner);
    await appendSlowly();
    for (let poll = 0; poll < 200; poll += 1) await fence.advance();
    expect(fence.pending).toBeLessThanOrEqual(64);
    await slow.query('rollback');
    expect(await fence.advance()).toBe(await head());
  });
});
