import { describe, expect, it } from 'vitest';
import { kindFold, UnreadableEventError } from '../../src/rebuild/fold.ts';
import { changeOf } from '../../src/tables/change.ts';
import type { EventData } from '../../src/tables/stream.ts';
import { streams } from '../../src/tables/streams.ts';

const inviteId = '01a213a0-ed25-70f3-a2db-df2f2fab427f';
const at = 1_760_000_000_000;

/** Invites as if `InviteCreated` had twice been written otherwise: seconds, then `made_by`. */
const invites = {
  ...streams.invite,
  upcasters: {
    ...streams.invite.upcasters,
    InviteCreated: [
      ({ seconds, ...data }: EventData): EventData => ({ ...data, at: Number(seconds) * 1000 }),
      ({ made_by, ...data }: EventData): EventData => ({ ...data, createdBy: String(made_by) }),
    ],
  },
};
const rest = { secretHash: 'hash', expiresAt: at + 1 };
const versions = {
  1: { ...rest, seconds: at / 1000, made_by: 'cli' },
  2: { ...rest, at, made_by: 'cli' },
  3: { ...rest, at, createdBy: 'cli' },
};

function rebuilt(schemaV: number, data: (typeof versions)[1 | 2 | 3]) {
  const fold = kindFold(invites).begin(inviteId);
  fold.apply({ pos: 1, version: 1, type: 'InviteCreated', schemaV, data, pii: null });
  return fold.row();
}

describe('an event whose schema has changed twice', () => {
  // Fails when an upcaster is left out, or those of the versions before are run again.
  it.each([1, 2, 3] as const)('is folded from version %i as the newest one', (schemaV) => {
    const row = rebuilt(schemaV, versions[schemaV]);
    expect(row).toEqual(rebuilt(3, versions[3]));
    expect(row).toMatchObject({ created_by: 'cli', created_at: new Date(at).toISOString() });
  });

  it.each([0, 4])('is not folded from version %i, which nobody wrote', (schemaV) => {
    expect(() => rebuilt(schemaV, versions[3])).toThrow(UnreadableEventError);
  });

  // Fails when every event is written as version 1, whatever its upcasters say.
  it('is written in the newest version', () => {
    const create = { type: 'CreateInvite', now: at, createdBy: 'cli', ...rest } as const;
    expect(changeOf(invites)(inviteId, null, create).touch.schemaVersions).toEqual([3]);
  });
});
