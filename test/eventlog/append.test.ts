import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appendBatch } from '../../src/eventlog/append.ts';
import { ConflictError, UniqueViolationError } from '../../src/eventlog/command.ts';
import { readStream } from '../../src/eventlog/read.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { bytea } from '../../src/platform/postgres/bytea.ts';
import { openTestLog, type TestLog, whileHeld } from '../support/event-log.ts';
import { untilWaiting } from '../support/held-streams.ts';
import { withClient } from '../support/postgres.ts';
import { testSeal } from '../support/seal.ts';
import { commandOf, startSession, touch } from '../support/session-commands.ts';

let log: TestLog;
beforeAll(async () => {
  log = await openTestLog();
});
afterAll(() => log.close());

async function given(...versions: number[]): Promise<string[]> {
  const ids = versions.map(() => newId());
  for (const [index, version] of versions.entries()) {
    await log.writer.append(commandOf([touch(ids[index]!, 'none', { events: version })]));
  }
  return ids;
}

async function streamRow(streamId: string) {
  const { rows } = await log.owner.query(
    'select version, guard_v::int, first_pos::int, last_pos::int from latchkey.streams where stream_id = $1',
    [streamId],
  );
  return rows[0];
}

const outcomeOf = (append: Promise<unknown>) =>
  append.then(
    () => 'appended',
    (error) => (error instanceof ConflictError ? error.actual : error),
  );

describe('expectations, checked by the database', () => {
  const cases = [
    { stream: 0, expected: 'none', outcome: 'appended' },
    { stream: 0, expected: 'any', outcome: 'appended' },
    { stream: 0, expected: 'exists', outcome: { version: 0, guard: 0 } },
    { stream: 0, expected: 1, outcome: { version: 0, guard: 0 } },
    { stream: 3, expected: 'none', outcome: { version: 3, guard: 0 } },
    { stream: 3, expected: 'any', outcome: 'appended' },
    { stream: 3, expected: 'exists', outcome: 'appended' },
    { stream: 3, expected: 3, outcome: 'appended' },
    { stream: 3, expected: 2, outcome: { version: 3, guard: 0 } },
    { stream: 3, expected: 4, outcome: { version: 3, guard: 0 } },
  ] as const;
  for (const { stream, expected, outcome } of cases) {
    const name =
      outcome === 'appended' ? 'is appended' : `conflicts with version ${outcome.version}`;
    test(`a stream at ${stream}, expected ${expected}: ${name}`, async () => {
      const [id] = stream === 0 ? [newId()] : await given(stream);
      const result = await outcomeOf(log.writer.append(commandOf([touch(id!, expected)])));
      expect(result).toEqual(outcome === 'appended' ? 'appended' : [{ streamId: id, ...outcome }]);
      const events = await readStream(log.pools.readers, id!);
      const versions = Array.from(
        { length: stream + (outcome === 'appended' ? 1 : 0) },
        (_, n) => n + 1,
      );
      expect(events.map(({ version }) => version)).toEqual(versions);
    });
  }

  test('a conflict carries the actual version also while another transaction holds the stream', async () => {
    const [id] = await given(2);
    const result = await whileHeld(log, [id!], () =>
      outcomeOf(log.writer.append(commandOf([touch(id!, 'none')]))),
    );
    expect(result).toEqual([{ streamId: id, version: 2, guard: 0 }]);
  });

  test('of two writers that both create a stream, one succeeds and one learns its version', async () => {
    const other = log.anotherWriter();
    for (let round = 0; round < 25; round += 1) {
      const id = newId();
      const results = await Promise.all(
        [log.writer, other].map((writer) =>
          outcomeOf(writer.append(commandOf([touch(id, 'none')]))),
        ),
      );
      expect(results).toContain('appended');
      expect(results).toContainEqual([{ streamId: id, version: 1, guard: 0 }]);
    }
  });
});

describe('guards', () => {
  test('a guard is raised without an event, and the position of the other stream is its own', async () => {
    const [guarded] = await given(2);
    const created = newId();
    const before = await streamRow(guarded!);
    const appended = await log.writer.append(
      commandOf([
        touch(guarded!, 2, { events: 0, guard: 0, bumpGuard: true }),
        touch(created, 'none'),
      ]),
    );
    expect(await streamRow(guarded!)).toEqual({ ...before, guard_v: 1 });
    const events = await readStream(log.pools.readers, created);
    expect(events).toHaveLength(1);
    expect(await streamRow(created)).toMatchObject({
      first_pos: events[0]!.pos,
      last_pos: events[0]!.pos,
    });
    expect(appended.streams).toEqual([
      { streamId: guarded, version: 2, lastPos: null },
      { streamId: created, version: 1, lastPos: events[0]!.pos },
    ]);
  });

  test('two commands that guard one stream cannot both be decided on the same state', async () => {
    const [guarded] = await given(1);
    const other = log.anotherWriter();
    const login = () =>
      commandOf([
        touch(guarded!, 'exists', { events: 0, guard: 0, bumpGuard: true }),
        touch(newId(), 'none'),
      ]);
    const results = await Promise.all(
      [log.writer, other, log.writer, other].map((writer) => outcomeOf(writer.append(login()))),
    );
    expect(results.filter((result) => result === 'appended')).toHaveLength(1);
    const conflicts = results.filter((result) => result !== 'appended');
    for (const conflict of conflicts) {
      expect(conflict[0]).toEqual({ streamId: guarded, version: 1, guard: 1 });
    }
  });

  test('a stream that does not exist guards nothing: that is a conflict, not a silent yes', async () => {
    for (const expected of ['any', 'none', 'exists'] as const) {
      const missing = newId();
      const created = newId();
      const command = commandOf([
        touch(missing, expected, { events: 0, bumpGuard: true }),
        touch(created, 'none'),
      ]);
      const result = await outcomeOf(log.writer.append(command));
      expect(result).toContainEqual({ streamId: missing, version: 0, guard: 0 });
      expect(await readStream(log.pools.readers, created)).toEqual([]);
    }
  });
});

describe('a command', () => {
  test('of several streams is appended whole or not at all', async () => {
    const [first, second] = await given(1, 1);
    const fresh = newId();
    const outcomes = await appendBatch(
      log.pools.writers,
      [commandOf([touch(first!, 1), touch(second!, 7), touch(fresh, 'none')])],
      { patient: false, seal: testSeal },
    );
    expect(outcomes[0]!.map(({ outcome }) => outcome)).toEqual(['refused', 'conflict', 'refused']);
    for (const [id, version] of [
      [first!, 1],
      [second!, 1],
      [fresh, 0],
    ] as const) {
      expect(await readStream(log.pools.readers, id)).toHaveLength(version);
    }
    expect(await streamRow(fresh)).toBeUndefined();
  });

  test('writes its events, rows and secrets in one transaction, or none of them', async () => {
    const userId = newId();
    const mac = bytea(Buffer.from(`mac of ${userId}`));
    const register = (id: string) => {
      const session = startSession(id);
      return commandOf([touch(id, 'none'), ...session.command.streams], {
        ...session.command.rows,
        credentials: [{ identifier_mac: mac, user_id: id }],
        password_hashes: [{ user_id: id, hash: 'argon' }],
        subject_keys: [{ subject_id: id, wrapped: 'jwe' }],
      });
    };
    const countOf = async (id: string) => {
      const { rows } = await log.owner.query(
        `select (select count(*)::int from latchkey.events where stream_id = $1) as events,
          (select count(*)::int from latchkey.sessions where user_id = $1) as sessions,
          (select count(*)::int from latchkey.credentials where user_id = $1) as credentials,
          (select count(*)::int from latchkey.password_hashes where user_id = $1) as hashes,
          (select count(*)::int from latchkey.subject_keys where subject_id = $1) as keys`,
        [id],
      );
      return rows[0];
    };
    await log.writer.append(register(userId));
    expect(await countOf(userId)).toEqual({
      events: 1,
      sessions: 1,
      credentials: 1,
      hashes: 1,
      keys: 1,
    });
    const second = newId();
    const refused = log.writer.append(register(second));
    await expect(refused).rejects.toBeInstanceOf(UniqueViolationError);
    await expect(refused).rejects.toMatchObject({ constraint: 'credentials_pkey' });
    expect(await countOf(second)).toEqual({
      events: 0,
      sessions: 0,
      credentials: 0,
      hashes: 0,
      keys: 0,
    });
  });

  test('gives a revocation the position of the event that caused it', async () => {
    const started = startSession();
    const userId = newId();
    const command = commandOf([touch(userId, 'none'), ...started.command.streams], {
      ...started.command.rows,
      revocations: [
        {
          streamId: started.sessionId,
          eventIndex: 0,
          target_kind: 'session',
          target: started.sessionId,
          epoch: null,
          until: '2030-01-01T00:00:00.000Z',
        },
      ],
    });
    await log.writer.append(command);
    const [event] = await readStream(log.pools.readers, started.sessionId);
    const { rows } = await log.owner.query(
      'select pos::int from latchkey.revocations where target = $1',
      [started.sessionId],
    );
    expect(rows).toEqual([{ pos: event!.pos }]);
  });

  test('keeps what it was given: type, data, ciphertext, subject, and who did it', async () => {
    const started = startSession();
    await log.writer.append(started.command);
    const [recorded] = await readStream(log.pools.readers, started.sessionId);
    const touched = started.command.streams[0]!;
    expect(recorded).toMatchObject({
      kind: 2,
      version: 1,
      type: 'SessionStarted',
      schemaV: 1,
      data: touched.events[0]!.data,
      subjectId: started.state.userId,
      meta: { ...started.command.meta, command_id: started.command.commandId },
    });
    expect(Buffer.from(recorded!.pii!)).toEqual(Buffer.from(touched.events[0]!.pii!));
  });
});

test.each([1, 2])(
  'recorded_at never runs backwards within a stream (%i events)',
  async (events) => {
    const [id] = await given(1);
    await log.owner.query(
      `update latchkey.streams set last_recorded_at = now() + interval '1 hour' where stream_id = $1`,
      [id],
    );
    await log.writer.append(commandOf([touch(id!, 1, { events })]));
    const { rows } = await log.owner.query(
      `select version, recorded_at > now() + interval '59 minutes' as kept,
       recorded_at >= lag(recorded_at) over (order by version) as ordered
     from latchkey.events where stream_id = $1 order by version`,
      [id],
    );
    expect(rows.map(({ kept }) => kept)).toEqual([false, ...Array(events).fill(true)]);
    expect(rows.map(({ ordered }) => ordered)).toEqual([null, ...Array(events).fill(true)]);
  },
);

// Fails when an append reads the clock before it draws its positions: an event that waited for its
// position would then be recorded before events of lower positions.
test.each([1, 2])('recorded_at is later than the draw of the position (%i events)', (events) =>
  withClient(log.database.ownerUrl, async (holder) => {
    const [id] = await given(1);
    await holder.query('begin');
    // Takes a lock under which nobody draws a position.
    await holder.query('alter sequence latchkey.event_pos cache 1');
    const appended = log.writer.append(commandOf([touch(id!, 1, { events })]));
    await untilWaiting(log.database, `query like '%append%'`);
    const { rows } = await holder.query('select clock_timestamp() as freed');
    await holder.query('rollback');
    await appended;
    const recorded = (await readStream(log.pools.readers, id!)).slice(1);
    expect(recorded).toHaveLength(events);
    for (const { recordedAt } of recorded) {
      expect(recordedAt.getTime()).toBeGreaterThanOrEqual(rows[0].freed.getTime());
    }
  }),
);
