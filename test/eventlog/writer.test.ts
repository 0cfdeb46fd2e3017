import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../src/domain/kernel/limits.ts';
import { type Command, ConflictError } from '../../src/eventlog/command.ts';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import { readStream } from '../../src/eventlog/read.ts';
import { Writer } from '../../src/eventlog/writer.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { createPools } from '../../src/platform/postgres/pool.ts';
import { silentLogger } from '../support/cluster.ts';
import { openTestLog, type TestLog, whileHeld } from '../support/event-log.ts';
import { openPostgresProxy } from '../support/postgres-proxy.ts';
import { testSeal } from '../support/seal.ts';
import { sentAppend } from '../support/sent-append.ts';
import { commandOf, startSession, touch } from '../support/session-commands.ts';

let log: TestLog;
beforeAll(async () => {
  log = await openTestLog();
});
afterAll(() => log.close());

const create = (id = newId()) => commandOf([touch(id, 'none')]);
const poisoned = () => {
  const id = newId();
  return commandOf([touch(id, 'none')], { subject_keys: [{ subject_id: id, wrapped: null }] });
};
const idOf = (command: Command) => command.streams[0]!.streamId;

/** A lane that says which streams each statement carries, and which lanes carry something now. */
function watchedLanes(count: number) {
  const batches: string[][] = [];
  const underWay = new Set<readonly string[]>();
  let overlaps = 0;
  const lane: Queryable = {
    query: async (statement) => {
      const streams = sentAppend(statement)!.streamIds;
      for (const other of underWay) {
        if (streams.some((id) => other.includes(id))) overlaps += 1;
      }
      batches.push(streams);
      underWay.add(streams);
      try {
        return await log.pools.writers.query(statement);
      } finally {
        underWay.delete(streams);
      }
    },
  };
  return {
    lanes: Array.from({ length: count }, () => lane),
    batches,
    get overlaps() {
      return overlaps;
    },
  };
}

async function expectInLog(commands: readonly Command[]): Promise<void> {
  const { rows } = await log.owner.query(
    `select stream_id, count(*)::int as n from latchkey.events where stream_id = any ($1) group by 1`,
    [commands.map(idOf)],
  );
  expect(rows.map(({ n }) => n)).toEqual(commands.map(() => 1));
}

async function deadlocks(): Promise<number> {
  const { rows } = await log.owner.query(
    'select deadlocks::int from pg_stat_database where datname = current_database()',
  );
  return rows[0].deadlocks;
}

describe('a command', () => {
  // Fails when nothing but the configuration reads the limit.
  test('of more streams than allowed is refused, and none of it appended', async () => {
    const most = limits.streamsPerCommandMax;
    const watched = watchedLanes(1);
    const writer = log.anotherWriter({ lanes: watched.lanes });
    const touches = Array.from({ length: most + 1 }, () => touch(newId(), 'none'));
    await expect(writer.append(commandOf(touches))).rejects.toMatchObject({
      code: 'internal_error',
      detail: `a command of ${most + 1} streams: at most ${most}`,
    });
    expect(watched.batches).toEqual([]);
    await writer.append(commandOf(touches.slice(1)));
  });
});

describe('a batch', () => {
  test('is what arrived while the lane was busy; conflicts leave it, the others are appended', async () => {
    const existing = create();
    await log.writer.append(existing);
    const watched = watchedLanes(1);
    const writer = new Writer({ lanes: watched.lanes, readers: log.pools.readers, seal: testSeal });
    const first = writer.append(create());
    const good = Array.from({ length: 7 }, () => create());
    const appends = good.map((command) => writer.append(command));
    const refused = writer.append(create(idOf(existing)));
    await expect(refused).rejects.toMatchObject({
      actual: [{ streamId: idOf(existing), version: 1, guard: 0 }],
    });
    await Promise.all([first, ...appends]);
    expect(watched.batches.map((streams) => streams.length)).toEqual([1, 8]);
    await expectInLog(good);
  });

  test('loses only the command that breaks it', async () => {
    const writer = log.anotherWriter();
    const good = Array.from({ length: 30 }, () => create());
    const commands = [...good.slice(0, 11), poisoned(), ...good.slice(11)];
    const results = await Promise.allSettled(commands.map((command) => writer.append(command)));
    const failed = results.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []));
    expect(failed).toEqual([11]);
    expect(results[11]).toMatchObject({ reason: { code: '23502' } });
    await expectInLog(good);
  });

  test('never carries more than 100 commands', async () => {
    const watched = watchedLanes(1);
    const writer = new Writer({ lanes: watched.lanes, readers: log.pools.readers, seal: testSeal });
    await Promise.all(Array.from({ length: 250 }, () => writer.append(create())));
    expect(watched.batches.map((streams) => streams.length)).toEqual([1, 100, 100, 49]);
  });
});

describe('an answer that is lost after the commit', () => {
  test('is read back: the command succeeds, with one event', async () => {
    const proxy = await openPostgresProxy(log.database.appUrl);
    const pools = createPools({
      databaseUrl: proxy.url,
      readers: 2,
      applicationName: 'test',
      logger: silentLogger,
    });
    const appendedIds: string[] = [];
    const writer = new Writer({
      lanes: [pools.writers, pools.writers],
      readers: log.pools.readers,
      seal: testSeal,
      onAppended: (command) => appendedIds.push(command.commandId),
    });
    await Promise.all(Array.from({ length: 20 }, () => writer.append(create())));
    for (let round = 1; round <= 5; round += 1) {
      const known = create();
      await writer.append(known);
      const guarded = touch(idOf(known), 1, { events: 0, guard: 0, bumpGuard: true });
      const command = commandOf([touch(newId(), 'none', { events: 2 }), guarded]);
      proxy.loseNextAnswer();
      const appended = await writer.append(command);
      expect(proxy.answersLost).toBe(round);
      const events = await readStream(log.pools.readers, idOf(command));
      expect(events.map(({ version }) => version)).toEqual([1, 2]);
      expect(appended.streams).toEqual([
        { streamId: idOf(command), version: 2, lastPos: events[1]!.pos },
        { streamId: idOf(known), version: 1, lastPos: null },
      ]);
      expect(appendedIds.filter((id) => id === command.commandId)).toHaveLength(1);
    }
    await pools.end();
    await proxy.close();
  });

  test('ends as unavailable, not as a crash, when nobody can be asked', async () => {
    const proxy = await openPostgresProxy(log.database.appUrl);
    const unreachable = new URL(log.database.appUrl);
    unreachable.port = '1';
    const options = { readers: 1, applicationName: 'test', logger: silentLogger };
    const pools = createPools({ ...options, databaseUrl: proxy.url });
    const broken = createPools({ ...options, databaseUrl: unreachable.href });
    const writer = new Writer({
      lanes: [pools.writers, pools.writers],
      readers: broken.readers,
      seal: testSeal,
      deadlineMs: 1_500,
    });
    const patient = new Writer({
      lanes: [pools.writers, pools.writers],
      readers: log.pools.readers,
      seal: testSeal,
    });
    await patient.append(create());
    const command = create();
    proxy.loseNextAnswer();
    await expect(writer.append(command)).rejects.toMatchObject({ code: 'unavailable' });
    await expectInLog([command]);
    await Promise.all([pools.end(), broken.end(), proxy.close()]);
  });
});

describe('a stream that another transaction holds', () => {
  // Fails when the held stream stays in the batches of the others: each would wait for its lock.
  test('delays nobody else, and its command succeeds when it is released', async () => {
    const [busy, other] = [create(), create()];
    const watched = watchedLanes(2);
    const writer = new Writer({
      lanes: watched.lanes,
      readers: log.pools.readers,
      seal: testSeal,
      deadlineMs: 15_000,
    });
    await writer.append(busy);
    await writer.append(other);
    await whileHeld(log, [idOf(busy)], async (release) => {
      const waiting = writer.append(commandOf([touch(idOf(busy), 1)]));
      let ended = false;
      void waiting.then(() => {
        ended = true;
      });
      for (let version = 1; version <= 20; version += 1) {
        await writer.append(commandOf([touch(idOf(other), version)]));
      }
      const shared = watched.batches.filter((ids) => ids.includes(idOf(other)) && ids.length > 1);
      expect(shared).toEqual([]);
      expect(ended).toBe(false);
      await release();
      expect((await waiting).streams[0]!.version).toBe(2);
    });
  });

  test('ends as unavailable at the deadline, with nothing appended', async () => {
    const command = create();
    await log.writer.append(command);
    const writer = log.anotherWriter({ deadlineMs: 250 });
    await whileHeld(log, [idOf(command)], async () => {
      const refused = writer.append(commandOf([touch(idOf(command), 1)]));
      await expect(refused).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 });
    });
    await expectInLog([command]);
  });

  test('keeps the order of its commands over the wait', async () => {
    const command = create();
    const writer = log.anotherWriter({ deadlineMs: 15_000 });
    await writer.append(command);
    const later = await whileHeld(log, [idOf(command)], async (release) => {
      const append = () => writer.append(commandOf([touch(idOf(command), 'exists')]));
      const waiting = [append(), append()];
      await writer.append(create());
      await writer.append(create());
      waiting.push(append(), append());
      await release();
      return Promise.all(waiting);
    });
    expect(later.map(({ streams }) => streams[0]!.version)).toEqual([2, 3, 4, 5]);
  });
});

describe('two lanes', () => {
  test('never carry one stream at once, and keep the order of its commands', async () => {
    const watched = watchedLanes(2);
    const { readers } = log.pools;
    const writer = new Writer({
      lanes: watched.lanes,
      readers,
      seal: testSeal,
      deadlineMs: 15_000,
    });
    const ids = Array.from({ length: 5 }, () => newId());
    const appends = Array.from({ length: 200 }, (_, n) =>
      writer.append(commandOf([touch(ids[n % 5]!, 'any'), touch(newId(), 'none')])),
    );
    const appended = await Promise.all(appends);
    ids.forEach((_, stream) => {
      const versions = appended
        .filter((_, n) => n % 5 === stream)
        .map((a) => a.streams[0]!.version);
      expect(versions).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
    });
    expect(watched.overlaps).toBe(0);
    expect(watched.batches.length).toBeGreaterThan(10);
  });

  test('of two processes take the same streams in opposite order: no deadlock', async () => {
    const ids = Array.from({ length: 12 }, () => newId());
    for (const id of ids) await log.writer.append(create(id));
    const before = await deadlocks();
    const patient = { deadlineMs: 15_000 };
    const writers = [log.anotherWriter(patient), log.anotherWriter(patient)];
    let appended = 0;
    const rounds = Array.from({ length: 150 }, async (_, round) => {
      const picked = [0, 1, 2].map((n) => ids[(round * 5 + n * 3) % ids.length]!);
      const order = round % 2 === 0 ? picked : picked.toReversed();
      const session = startSession();
      const streams = [...order.map((id) => touch(id, 'exists')), ...session.command.streams];
      const command = commandOf(streams, session.command.rows);
      await writers[round % 2]!.append(command).then(
        () => {
          appended += 1;
        },
        (error) => {
          expect(error).not.toBeInstanceOf(ConflictError);
          expect(error).toMatchObject({ code: 'unavailable' });
        },
      );
    });
    await Promise.all(rounds);
    expect(appended).toBeGreaterThan(75);
    expect(await deadlocks()).toBe(before);
  });
});
