import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Command } from '../../src/eventlog/command.ts';
import { ConflictError, UniqueViolationError } from '../../src/eventlog/command.ts';
import { newId } from '../../src/platform/new-id.ts';
import { openTestLog, type TestLog, whileHeld } from '../support/event-log.ts';
import { commandOf, refreshSession, startSession, touch } from '../support/session-commands.ts';

let log: TestLog;
beforeAll(async () => {
  log = await openTestLog();
});
afterAll(() => log.close());

const create = (id = newId()) => commandOf([touch(id, 'none')]);

function register(mac: string): Command {
  const id = newId();
  const row = { identifier_mac: `\\x${mac}`, user_id: id };
  return commandOf([touch(id, 'none')], { credentials: [row] });
}

function poisoned(): Command {
  const id = newId();
  return commandOf([touch(id, 'none')], { password_hashes: [{ user_id: id, hash: null }] });
}

/** Sends all at once behind one that keeps the lane busy, so that they form one batch. */
async function timeEach(commands: readonly Command[]) {
  const begun = performance.now();
  return Promise.all(
    commands.map(async (command) => {
      const error = await log.writer.append(command).then(
        () => null,
        (reason) => reason,
      );
      return { command, error, ms: performance.now() - begun };
    }),
  );
}

for (const [name, duplicate, refusal] of [
  ['of a stream', () => create(), ConflictError],
  ['of an address', () => register('c0ffee'), UniqueViolationError],
] as const) {
  test(`a batch of 100 with 1 poisoned, 1 duplicate ${name} and 1 blocked command: the other 97 succeed`, async () => {
    const slowest: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      const blocked = create();
      const existing = round === 0 || refusal === ConflictError ? duplicate() : null;
      await log.writer.append(blocked);
      if (existing !== null) await log.writer.append(existing);
      const blockedId = blocked.streams[0]!.streamId;
      const good = Array.from({ length: 97 }, () => startSession().command);
      const bad = {
        poisoned: poisoned(),
        duplicate: refusal === ConflictError ? create(existing!.streams[0]!.streamId) : duplicate(),
        blocked: commandOf([touch(blockedId, 1)]),
      };
      const commands: Command[] = [...good];
      for (const command of Object.values(bad)) {
        commands.splice(Math.floor(Math.random() * commands.length), 0, command);
      }
      await whileHeld(log, [blockedId], async (release) => {
        const results = timeEach(commands).then((each) => new Map(each.map((r) => [r.command, r])));
        const settled = await Promise.race([results, until97(results, release)]);
        for (const command of good) expect(settled.get(command)!.error).toBeNull();
        expect(settled.get(bad.poisoned)!.error).toMatchObject({ code: '23502' });
        expect(settled.get(bad.duplicate)!.error).toBeInstanceOf(refusal);
        expect(settled.get(bad.blocked)!.error).toBeNull();
        slowest.push(Math.max(...good.map((command) => settled.get(command)!.ms)));
      });
    }
    slowest.sort((a, b) => a - b);
    console.info(
      `slowest of the 97, per round: ${slowest.map((ms) => ms.toFixed(0)).join(' ')} ms`,
    );
    expect(slowest[slowest.length >> 1]).toBeLessThan(100);
  });
}

/** Releases the held stream long after the others must have succeeded. */
async function until97<T>(results: Promise<T>, release: () => Promise<void>): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, 500));
  await release();
  return results;
}

test('both lanes of two processes under load: no deadlock, nothing lost', async () => {
  const before = await deadlocks();
  const writers = [log.writer, log.anotherWriter({ deadlineMs: 10_000 })];
  const users = Array.from({ length: 16 }, () => newId());
  for (const user of users) await log.writer.append(create(user));
  let appended = 0;
  const until = performance.now() + 5_000;
  const caller = async (n: number) => {
    let session = startSession(users[n % users.length]!);
    await writers[n % 2]!.append(session.command);
    for (let round = 0; performance.now() < until; round += 1) {
      session = refreshSession(session);
      const two = [users[(n + round) % 16]!, users[(n * 7 + round * 3) % 16]!];
      const guards = [...new Set(two)].map((id) =>
        touch(id, 'exists', { events: 0, bumpGuard: true }),
      );
      const { streams, rows } = session.command;
      await writers[n % 2]!.append(commandOf([...streams, ...guards], rows));
      appended += 1;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: 48 }, (_, n) => caller(n)));
  const unexpected = results.flatMap((result) =>
    result.status === 'rejected' && result.reason.code !== 'unavailable' ? [result.reason] : [],
  );
  expect(unexpected).toEqual([]);
  const { rows } = await log.owner.query(
    `select count(*)::int as n from latchkey.events where type = 'SessionRefreshed'`,
  );
  console.info(`${appended} appends with two guards each`);
  expect(rows[0].n).toBeGreaterThanOrEqual(appended);
  expect(appended).toBeGreaterThan(500);
  expect(await deadlocks()).toBe(before);
});

async function deadlocks(): Promise<number> {
  const { rows } = await log.owner.query(
    'select deadlocks::int from pg_stat_database where datname = current_database()',
  );
  return rows[0].deadlocks;
}
