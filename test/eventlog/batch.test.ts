import { describe, expect, it } from 'vitest';
import { appendBatch, encodeBatch } from '../../src/eventlog/append.ts';
import type { Command, StreamTouch } from '../../src/eventlog/command.ts';
import { testSeal } from '../support/seal.ts';
import { commandOf, touch } from '../support/session-commands.ts';
import { answering } from './answers.ts';

const encoded = (...commands: Command[]) => {
  const parameters: readonly unknown[] = encodeBatch(commands, testSeal).parameters;
  const [command, ids, kinds, subjects, expected, guards, bumps, ...events] = parameters;
  const [touched, types, versions, data, pii] = events as unknown[][];
  const rows = JSON.parse(String(events[6])) as Record<string, Record<string, unknown>[]>;
  const metas = (events[5] as string[]).map((text) => JSON.parse(text));
  return {
    ...{ command, ids, kinds, subjects, expected, guards, bumps },
    ...{ touched, types, versions, data, pii, metas, rows },
  };
};

describe('a batch', () => {
  // Fails when streams keep the order of their commands: two batches would lock each other out.
  it('names its streams in the order of their ids, whosever they are', () => {
    const batch = encoded(
      commandOf([touch('d', 'none'), touch('a', 'none', { events: 2 })]),
      commandOf([touch('c', 'none'), touch('b', 'none', { events: 0 })]),
    );
    expect(batch.ids).toEqual(['a', 'b', 'c', 'd']);
    expect(batch.command).toEqual([0, 1, 1, 0]);
    expect(batch.touched).toEqual([1, 1, 3, 4]);
  });

  it('says what each stream must be, and which guards are compared and raised', () => {
    const streams: StreamTouch[] = [
      touch('a', 'none'),
      touch('b', 'exists', { subjectId: 's' }),
      touch('c', 'any', { kind: 'session', guard: 4 }),
      touch('d', 7, { bumpGuard: true }),
    ];
    const batch = encoded(commandOf(streams));
    expect(batch.expected).toEqual([0, -1, -2, 7]);
    expect(batch.kinds).toEqual([1, 1, 2, 1]);
    expect(batch.subjects).toEqual([null, 's', null, null]);
    expect(batch.guards).toEqual([null, null, 4, null]);
    expect(batch.bumps).toEqual([false, false, false, true]);
  });

  it.each([0, -1, 1.5, Number.NaN])('is not made for a stream expected at %d', (expected) => {
    expect(() => encoded(commandOf([touch('a', expected)]))).toThrow(/bad expected version/);
  });

  it('carries its events as they are, with the command that made them', () => {
    const events = [
      { type: 'UserEnabled', data: { at: 1 } },
      { type: 'ProfileChanged', data: { at: 2 }, pii: new Uint8Array([1, 255]), schemaV: 2 },
    ];
    const command = commandOf([touch('a', 3, { events })]);
    const batch = encoded(command);
    expect(batch.types).toEqual(['UserEnabled', 'ProfileChanged']);
    expect(batch.versions).toEqual([1, 2]);
    expect(batch.data).toEqual(['{"at":1}', '{"at":2}']);
    expect(batch.pii).toEqual([null, '\\x01ff']);
    const meta = { ...command.meta, command_id: command.commandId };
    expect(batch.metas).toEqual([0, 1].map(() => ({ ...meta, mac: expect.any(String) })));
    const isGenuine = (n: number, version: number) =>
      testSeal.isGenuine({
        ...{ kind: 1, streamId: 'a', subjectId: null, version, type: events[n]!.type },
        ...{ schemaV: events[n]!.schemaV ?? 1, data: events[n]!.data },
        ...{ pii: events[n]!.pii ?? null, meta: batch.metas[n] },
      });
    expect([isGenuine(0, 4), isGenuine(1, 5), isGenuine(1, 4)]).toEqual([true, true, false]);
  });

  // Fails when the seal of a first event names another version than the database gives it.
  it('seals the events of a new stream from version 1, and none whose version nobody knows', () => {
    const event = { type: 'UserEnabled', data: { at: 1 } };
    const sealable = { kind: 1, streamId: 'a', subjectId: null, version: 1, schemaV: 1, pii: null };
    const { metas } = encoded(commandOf([touch('a', 'none', { events: [event] })]));
    expect(testSeal.isGenuine({ ...sealable, ...event, meta: metas[0] })).toBe(true);
    for (const expected of ['exists', 'any'] as const) {
      expect(encoded(commandOf([touch('a', expected)])).metas[0]).not.toHaveProperty('mac');
    }
  });

  // Fails when a revocation takes the position of another command's event.
  it('gives each row its command and its seal, and each revocation the place of its event', () => {
    const revocation = (streamId: string, eventIndex: number) => ({
      ...{ streamId, eventIndex, target_kind: 'session', target: streamId, epoch: null, until: '' },
    });
    const batch = encoded(
      commandOf([touch('b', 1, { events: 3 })], { revocations: [revocation('b', 2)] }),
      commandOf([touch('a', 1, { events: 2 })], {
        revocations: [revocation('a', 1)],
        users: [{ user_id: 'a' }, { user_id: 'b' }],
        subject_keys: [{ subject_id: 'a' }],
      }),
    );
    const said = ({ streamId: _, eventIndex: __, ...columns }: ReturnType<typeof revocation>) =>
      columns;
    expect(batch.rows.revocations).toEqual([
      { ...said(revocation('b', 2)), c: 0, e: 5 },
      { ...said(revocation('a', 1)), c: 1, e: 2 },
    ]);
    expect(batch.rows.users).toEqual([
      { user_id: 'a', c: 1, mac: testSeal.row('users', { user_id: 'a' }) },
      { user_id: 'b', c: 1, mac: testSeal.row('users', { user_id: 'b' }) },
    ]);
    expect(batch.rows.subject_keys).toEqual([{ subject_id: 'a', c: 1 }]);
  });
});

describe('a command that stands alone', () => {
  const lone = commandOf([touch('a', 3, { guard: 2 })]);
  const accepted = { version: 4, guard_v: '2', pos: '17' };
  const general = {
    outcomes: ['conflict', 'conflict'],
    versions: [5, 5],
    guards: ['3', '3'],
    last_positions: [null, null],
  };

  async function sent(commands: Command[], { one = accepted as object, patient = false } = {}) {
    const lane = answering(({ name }) => [name === 'append-one' ? one : general]);
    const outcomes = await appendBatch(lane, commands, { patient, seal: testSeal });
    return { outcomes, asked: lane.asked };
  }

  // Fails when the values come in another order than `latchkey.append_one` takes them.
  it('is appended by a statement without arrays', async () => {
    const { outcomes, asked } = await sent([lone]);
    expect(outcomes).toEqual([[{ outcome: 'appended', version: 4, guard: 2, lastPos: 17 }]]);
    expect(asked.map(({ name }) => name)).toEqual(['append-one']);
    const { parameters } = encodeBatch([lone], testSeal);
    const [, id, kind, subject, expected, guard, bump, , type, schema, data, pii, meta] =
      parameters.map((each) => each[0]);
    expect(asked[0]!.values).toEqual([
      ...[id, kind, subject, expected, guard, bump],
      ...[type, schema, data, pii, meta, parameters[13]],
    ]);
  });

  it('is judged by the statement for batches when it is not accepted', async () => {
    const refused = { version: null, guard_v: null, pos: null };
    const { outcomes, asked } = await sent([lone], { one: refused });
    expect(outcomes).toEqual([[{ outcome: 'conflict', version: 5, guard: 3, lastPos: null }]]);
    expect(asked.map(({ name }) => name)).toEqual(['append-one', 'append']);
  });

  // Fails when a command whose caller was told 503 meanwhile is sent once more.
  it('is not sent again when nobody waits for it any more', async () => {
    const lane = answering(() => [{ version: null, guard_v: null, pos: null }]);
    const options = { patient: false, seal: testSeal, isAbandoned: () => true };
    expect(await appendBatch(lane, [lone], options)).toMatchObject([[{ outcome: 'busy' }]]);
    expect(lane.asked).toHaveLength(1);
  });

  it.each<[string, Command[], boolean]>([
    ['two commands', [lone, commandOf([touch('b', 1)])], false],
    ['two streams', [commandOf([touch('a', 1), touch('b', 1)])], false],
    ['two events', [commandOf([touch('a', 1, { events: 2 })])], false],
    ['no event', [commandOf([touch('a', 1, { events: 0 })])], false],
    ['a command that waits for a held stream', [lone], true],
  ])('is not %s', async (_, commands, patient) => {
    const { asked } = await sent(commands, { patient });
    expect(asked.map(({ name }) => name)).toEqual(['append']);
  });
});
