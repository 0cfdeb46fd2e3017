import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConflictError } from '../../src/eventlog/command.ts';
import { readStream } from '../../src/eventlog/read.ts';
import type { Writer } from '../../src/eventlog/writer.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { commandOf, touch } from '../support/session-commands.ts';
import { type ModelOutcome, type ModelTouch, ReferenceLog } from './reference-log.ts';

let log: TestLog;
let other: Writer;
beforeAll(async () => {
  log = await openTestLog();
  other = log.anotherWriter();
});
afterAll(() => log.close());

const streams = 4;

const touchArbitrary = fc.record({
  stream: fc.nat(streams - 1),
  // Relative to what the reference says, so that many of the commands hit.
  expected: fc.oneof(
    fc.constantFrom('none' as const, 'exists' as const, 'any' as const),
    fc.constantFrom('current' as const, 'current' as const, 'stale' as const, 'ahead' as const),
  ),
  guard: fc.constantFrom(
    'current' as const,
    'unchecked' as const,
    'unchecked' as const,
    'stale' as const,
  ),
  bumpGuard: fc.boolean(),
  events: fc.nat(3),
});

const commandArbitrary = fc.uniqueArray(touchArbitrary, {
  minLength: 1,
  maxLength: 3,
  selector: ({ stream }) => stream,
});

type Planned = (typeof touchArbitrary extends fc.Arbitrary<infer T> ? T : never)[];

/** Turns "current", "stale" and "ahead" into numbers by what the reference holds now. */
function resolve(planned: Planned, reference: ReferenceLog, name: string): ModelTouch[] {
  return planned.map(({ stream, expected, guard, bumpGuard, events }) => {
    const now = reference.stream(stream);
    const versions = { current: now.version, stale: now.version - 1, ahead: now.version + 1 };
    const asked = expected in versions ? versions[expected as keyof typeof versions] : expected;
    return {
      stream,
      expected: typeof asked === 'number' && asked < 1 ? 'none' : (asked as ModelTouch['expected']),
      guard: guard === 'unchecked' ? null : now.guard + (guard === 'stale' ? 1 : 0),
      bumpGuard,
      events: Array.from({ length: events }, (_, n) => `${name}.${stream}.${n}`),
    };
  });
}

async function appendForReal(
  writer: Writer,
  ids: readonly string[],
  touches: readonly ModelTouch[],
) {
  const command = commandOf(
    touches.map(({ stream, expected, guard, bumpGuard, events }) =>
      touch(ids[stream]!, expected, {
        bumpGuard,
        ...(guard === null ? {} : { guard }),
        events: events.map((name) => ({ type: 'UserEnabled', data: { name } })),
      }),
    ),
  );
  return writer.append(command).then(
    (appended): ModelOutcome => ({ appended: appended.streams.map(({ version }) => version) }),
    (error): ModelOutcome => {
      if (!(error instanceof ConflictError)) throw error;
      return { conflict: error.actual.map(({ version, guard }) => ({ version, guard })) };
    },
  );
}

async function expectEqual(reference: ReferenceLog, ids: readonly string[]): Promise<void> {
  for (const [number, id] of ids.entries()) {
    const events = await readStream(log.pools.readers, id);
    const model = reference.stream(number);
    expect(events.map(({ data }) => data.name)).toEqual(model.events);
    expect(events.map(({ version }) => version)).toEqual(model.events.map((_, n) => n + 1));
    const { rows } = await log.owner.query(
      `select version, guard_v::int as guard, first_pos::int as first, last_pos::int as last
       from latchkey.streams where stream_id = $1`,
      [id],
    );
    const expected = {
      version: model.version,
      guard: model.guard,
      first: events[0]?.pos,
      last: events.at(-1)?.pos,
    };
    expect(rows).toEqual(model.version === 0 ? [] : [expected]);
  }
}

test('one command at a time, the store does what the reference does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(commandArbitrary, { maxLength: 25 }), async (commands) => {
      const reference = new ReferenceLog();
      const ids = Array.from({ length: streams }, () => newId());
      for (const [number, planned] of commands.entries()) {
        const touches = resolve(planned, reference, `c${number}`);
        const writer = number % 2 === 0 ? log.writer : other;
        expect(await appendForReal(writer, ids, touches)).toEqual(reference.append(touches));
      }
      await expectEqual(reference, ids);
      const { rows } = await log.owner.query(
        `select data ->> 'name' as name from latchkey.events where stream_id = any ($1) order by pos`,
        [ids],
      );
      const inOrder = (names: string[]) => names.toSorted();
      expect(inOrder(rows.map(({ name }) => name))).toEqual(inOrder(reference.history));
    }),
    { numRuns: 300 },
  );
});

test('commands sent together have some order in which the reference answers the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(commandArbitrary, { minLength: 2, maxLength: 12 }),
      async (commands) => {
        const reference = new ReferenceLog();
        const ids = Array.from({ length: streams }, () => newId());
        const sent = commands.map((planned, n) => resolve(planned, reference, `c${n}`));
        const outcomes = await Promise.all(
          sent.map((touches, n) => appendForReal(n % 2 === 0 ? log.writer : other, ids, touches)),
        );
        expect(isSomeOrder(sent, outcomes)).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
});

/** Depth first over the orders; an order is given up at the first answer that differs. */
function isSomeOrder(sent: readonly ModelTouch[][], outcomes: readonly ModelOutcome[]): boolean {
  const search = (done: readonly number[]): boolean => {
    if (done.length === sent.length) return true;
    return sent.some((touches, next) => {
      if (done.includes(next)) return false;
      const reference = new ReferenceLog();
      for (const index of done) reference.append(sent[index]!);
      const answer = reference.append(touches);
      return JSON.stringify(answer) === JSON.stringify(outcomes[next]) && search([...done, next]);
    });
  };
  return search([]);
}
