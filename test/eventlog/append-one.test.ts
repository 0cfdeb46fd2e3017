import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { appendBatch } from '../../src/eventlog/append.ts';
import type { Command, StreamTouch } from '../../src/eventlog/command.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { testSeal } from '../support/seal.ts';
import { commandOf, startSession } from '../support/session-commands.ts';

// A patient batch never takes the short way of `latchkey.append_one`; otherwise both mean the same.
const ways = { short: false, general: true };
const logs = {} as Record<keyof typeof ways, TestLog>;
beforeAll(async () => {
  for (const way of Object.keys(ways) as (keyof typeof ways)[]) logs[way] = await openTestLog();
});
afterAll(async () => {
  for (const log of Object.values(logs)) await log.close();
});

interface Step {
  readonly stream: number;
  readonly expected: StreamTouch['expected'];
  readonly guard: number | undefined;
  readonly bumpGuard: boolean;
  readonly rows: readonly ('sessions' | 'revocations' | 'subject_keys')[];
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    stream: fc.nat(1),
    expected: fc.constantFrom<StreamTouch['expected']>('none', 'exists', 'any', 1, 2, 3),
    guard: fc.constantFrom(undefined, undefined, 0, 1),
    bumpGuard: fc.boolean(),
    rows: fc.subarray<Step['rows'][number]>(['sessions', 'revocations', 'subject_keys']),
  }),
  { minLength: 1, maxLength: 12 },
);

function commandFor(step: Step, streamId: string): Command {
  const { rows, expected, guard, bumpGuard } = step;
  const started = startSession(streamId, streamId);
  const { events } = started.command.streams[0]!;
  const revocation = {
    streamId,
    eventIndex: 0,
    target_kind: 'session',
    target: streamId,
    epoch: null,
    until: new Date(Date.now() + 60_000).toISOString(),
  };
  const touched: StreamTouch = {
    streamId,
    kind: 'session',
    subjectId: streamId,
    expected,
    ...(guard === undefined ? {} : { guard }),
    bumpGuard,
    events,
  };
  return commandOf([touched], {
    ...(rows.includes('sessions') ? started.command.rows : {}),
    ...(rows.includes('revocations') ? { revocations: [revocation] } : {}),
    ...(rows.includes('subject_keys')
      ? { subject_keys: [{ subject_id: streamId, wrapped: 'w' }] }
      : {}),
  });
}

/** What the caller hears; positions differ, since a refused append may have drawn one. */
async function outcomeIn(way: keyof typeof ways, command: Command) {
  const options = { patient: ways[way], seal: testSeal };
  try {
    const [touches] = await appendBatch(logs[way].pools.writers, [command], options);
    return touches!.map(({ lastPos, ...outcome }) => ({ ...outcome, placed: lastPos !== null }));
  } catch (error) {
    const { code, constraint } = error as { code?: string; constraint?: string };
    return { code, constraint };
  }
}

const contentsSql = `
  with of_streams as (select * from latchkey.streams s where s.stream_id = any ($1)),
  of_events as (select * from latchkey.events e where e.stream_id = any ($1))
  select
    (select jsonb_agg(
        to_jsonb(s) - '{first_pos,last_pos,last_recorded_at}'::text[] order by s.stream_id)
      from of_streams s) as streams,
    (select bool_and((s.first_pos, s.last_pos, s.last_recorded_at) = (
        select min(e.pos), max(e.pos), max(e.recorded_at)
        from of_events e where e.stream_id = s.stream_id))
      from of_streams s) as "isConsistent",
    (select jsonb_agg(to_jsonb(e) - '{pos,recorded_at}'::text[] order by e.stream_id, e.version)
      from of_events e) as events,
    (select jsonb_agg(to_jsonb(s) order by s.session_id)
      from latchkey.sessions s where s.session_id = any ($1)) as sessions,
    (select jsonb_agg(to_jsonb(k) order by k.subject_id)
      from latchkey.subject_keys k where k.subject_id = any ($1)) as "subjectKeys",
    (select jsonb_agg(
        to_jsonb(r) - '{pos,xact}'::text[] || jsonb_build_object('version', e.version)
        order by e.stream_id, e.version)
      from latchkey.revocations r join of_events e on e.pos = r.pos) as revocations`;

// Fails when one of both is changed alone: a guard that is not compared, a row that is not written.
test('a lone command is decided and written as any batch is', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (taken) => {
      const streams = [newId(), newId()];
      for (const step of taken) {
        const command = commandFor(step, streams[step.stream]!);
        const outcome = await outcomeIn('short', command);
        expect(outcome).toEqual(await outcomeIn('general', command));
      }
      const [short, general] = await Promise.all(
        [logs.short, logs.general].map(({ owner }) => owner.query(contentsSql, [streams])),
      );
      expect(short!.rows).toEqual(general!.rows);
      expect(short!.rows[0].isConsistent).not.toBe(false);
    }),
    { numRuns: 60 },
  );
}, 60_000);
