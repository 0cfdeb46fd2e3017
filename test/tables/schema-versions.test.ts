import { describe, expect, it } from 'vitest';
import { consecutive } from '../../src/app/consecutive-changes.ts';
import { stateAfterCommand } from '../../src/app/first-answer.ts';
import { type InviteCommand, inviteDecider } from '../../src/domain/invite/decide.ts';
import type { InviteCreated, InviteTried, InviteUsed } from '../../src/domain/invite/events.ts';
import type { InviteState } from '../../src/domain/invite/state.ts';
import type { DomainEvent, InSchema } from '../../src/domain/kernel/event.ts';
import { streamKinds } from '../../src/domain/kernel/event.ts';
import { encodeBatch } from '../../src/eventlog/append.ts';
import { kindFold } from '../../src/rebuild/fold.ts';
import { type Change, changeOf } from '../../src/tables/change.ts';
import { UnreadableEventError } from '../../src/tables/fold-logged.ts';
import type { EventData, Stream, Upcasters } from '../../src/tables/stream.ts';
import { streams } from '../../src/tables/streams.ts';
import { testSeal, withTestSeal } from '../support/seal.ts';
import { commandOf } from '../support/session-commands.ts';

const inviteId = '01a213a0-ed25-70f3-a2db-df2f2fab427f';
const at = 1_760_000_000_000;

type RaisedEvent = InSchema<3, InviteCreated> | InviteTried | InviteUsed;

const raised = (event: InviteCreated | InviteTried | InviteUsed): RaisedEvent =>
  event.type === 'InviteCreated' ? { ...event, schemaV: 3 } : event;

/** Invites as if `InviteCreated` had twice been written otherwise: seconds, then `made_by`. */
const invites: Stream<InviteState, RaisedEvent, InviteCommand> = {
  ...streams.invite,
  decider: {
    ...inviteDecider,
    decide: (state, command) => {
      const { events, ...decision } = inviteDecider.decide(state, command);
      return { ...decision, events: events.map(raised) };
    },
  },
  upcasters: {
    InviteCreated: [
      ({ seconds, ...data }) => ({ ...data, at: Number(seconds) * 1000 }),
      ({ made_by, ...data }) => ({ ...data, createdBy: String(made_by) }),
    ],
  },
};
const changeRaised = changeOf(invites);
const rest = { secretHash: 'hash', expiresAt: at + 1 };
const versions = {
  1: { ...rest, seconds: at / 1000, made_by: 'cli' },
  2: { ...rest, at, made_by: 'cli' },
  3: { ...rest, at, createdBy: 'cli' },
};

function rebuilt(schemaV: number, data: (typeof versions)[1 | 2 | 3], type = 'InviteCreated') {
  const fold = kindFold(invites).begin(inviteId);
  fold.apply({ pos: 1, version: 1, type, schemaV, data, pii: null });
  return fold.row();
}

/** What `latchkey.append` is told about the events of a change. */
function written({ touch, rows }: Change<unknown>): unknown {
  const { parameters } = encodeBatch([commandOf([touch], rows)], testSeal);
  const [types, schemaVersions] = [parameters[8] as string[], parameters[9] as number[]];
  return types.map((type, index) => [type, schemaVersions[index]]);
}

const created = () =>
  changeRaised(inviteId, null, {
    type: 'CreateInvite',
    now: at,
    createdBy: 'cli',
    ...rest,
  });

describe('an event whose schema has changed twice', () => {
  // Fails when an upcaster is left out, or those of the versions before are run again.
  it.each([1, 2, 3] as const)('is folded from version %i as the newest one', (schemaV) => {
    const row = rebuilt(schemaV, versions[schemaV]);
    expect(row).toEqual(rebuilt(3, versions[3]));
    expect(row).toMatchObject({ created_by: 'cli', created_at: new Date(at).toISOString() });
  });

  // Fails when the answer to a retry is folded in a way of its own, without the upcasters.
  it('is the newest one in the answer to a retry, too', async () => {
    const event = {
      kind: streamKinds.invite,
      streamId: inviteId,
      subjectId: null,
      version: 1,
      type: 'InviteCreated',
      schemaV: 1,
      data: versions[1],
      pii: null,
      meta: { command_id: 'first' },
    };
    const meta = { ...event.meta, mac: testSeal.event(event) };
    const { streamId: stream_id, subjectId: subject_id, schemaV: schema_v } = event;
    const logged = { ...event, pos: 1, stream_id, subject_id, schema_v, meta };
    const readers = withTestSeal({ query: async () => ({ rows: [logged], rowCount: 1 }) });
    expect(await stateAfterCommand(readers, inviteId, 'first', invites)).toMatchObject({
      createdBy: 'cli',
      createdAt: at,
    });
  });

  it.each([0, 4])('is not folded from version %i, which nobody wrote', (schemaV) => {
    expect(() => rebuilt(schemaV, versions[3])).toThrow(UnreadableEventError);
  });

  // Fails when every event is written as version 1, whatever its type says.
  it('is written in the newest version', () => {
    expect(written(created())).toEqual([['InviteCreated', 3]]);
  });

  // Fails when the versions stand beside the events: whoever puts the events of one touch into
  // another leaves them behind.
  it('keeps its version in a command that puts two changes together', () => {
    const tried = changeRaised(inviteId, created(), {
      type: 'TryInvite',
      now: at,
      secretHash: 'hash',
    });
    const both = consecutive(tried, created());
    expect(written(both)).toEqual([
      ['InviteTried', 1],
      ['InviteCreated', 3],
    ]);
  });
});

describe('a type of event that no release has written', () => {
  // Fails when an `evolve` has an answer for what it does not know: a rebuild would pass over it.
  it.each(Object.values(streams))('stops the fold of a $kind stream', (stream) => {
    const begin = kindFold(stream as unknown as typeof streams.invite).begin(inviteId);
    for (const type of ['Teleported', 'toString']) {
      const event = { pos: 1, version: 1, type, schemaV: 1, data: {}, pii: null };
      expect(() => begin.apply(event)).toThrow(`${type}: unknown type`);
    }
  });
});

describe('the types', () => {
  type Event = DomainEvent<'Kept', { at: number }> | InSchema<2, DomainEvent<'Changed'>>;
  const same = (data: EventData) => data;

  it('want each upcaster of a raised version, and no other', () => {
    const upcasters: Upcasters<Event> = { Changed: [same] };
    // @ts-expect-error The version was raised without an upcaster.
    const none: Upcasters<Event> = {};
    // @ts-expect-error There are two versions, so one way.
    const two: Upcasters<Event> = { Changed: [same, same] };
    // @ts-expect-error The upcaster of an event whose version was not raised.
    const more: Upcasters<Event> = { Changed: [same], Kept: [same] };
    expect([upcasters, none, two, more]).toHaveLength(4);
  });

  it('want the version of whoever decides a raised event', () => {
    const kept: Event = { type: 'Kept', data: { at } };
    const changed: Event = { type: 'Changed', schemaV: 2, data: {} };
    // @ts-expect-error It would be written as version 1.
    const forgotten: Event = { type: 'Changed', data: {} };
    // @ts-expect-error The version was not raised.
    const untold: Event = { type: 'Kept', schemaV: 2, data: { at } };
    expect([kept, changed, forgotten, untold]).toHaveLength(4);
  });
});
