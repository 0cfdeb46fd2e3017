import { slotCount } from '@latchkey/contract/slot';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type StreamKind, streamKinds } from '../../src/domain/kernel/event.ts';
import { administratorsGuardId, homeSlot, issuerKeysetId } from '../../src/domain/kernel/ids.ts';
import { requireOneSlot } from '../../src/eventlog/one-slot.ts';
import { Writer } from '../../src/eventlog/writer.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { testSeal } from '../support/seal.ts';
import { commandOf, touch } from '../support/session-commands.ts';

const kinds = fc.constantFrom(...(Object.keys(streamKinds) as StreamKind[]));
const slots = fc.integer({ min: 0, max: slotCount - 1 });
const of = (kind: StreamKind, slot: number) => touch(newId(slot), 'any', { kind });

const crossSlots = expect.objectContaining({
  code: 'internal_error',
  detail: expect.stringContaining('more than one slot'),
});

describe('a command', () => {
  it('may touch any streams of one slot', () => {
    fc.assert(
      fc.property(slots, fc.array(kinds, { minLength: 1, maxLength: 5 }), (slot, list) => {
        requireOneSlot({ streams: list.map((kind) => of(kind, slot)) });
      }),
    );
  });

  // Fails when only users and sessions are compared, or only the first two streams.
  it('touches no two slots, whatever kinds its streams are of', () => {
    const notInvite = kinds.filter((kind) => kind !== 'invite');
    fc.assert(
      fc.property(
        fc.uniqueArray(slots, { minLength: 2, maxLength: 2 }),
        fc.array(notInvite, { minLength: 1, maxLength: 4 }),
        notInvite,
        ([slot, other], list, last) => {
          const streams = [...list.map((kind) => of(kind, slot!)), of(last, other!)];
          expect(() => requireOneSlot({ streams })).toThrow(crossSlots);
        },
      ),
    );
  });

  it('may touch an invite or the administrators beside a user', () => {
    const guard = touch(administratorsGuardId, 'any', { events: 0 });
    const invite = of('invite', homeSlot);
    requireOneSlot({ streams: [of('user', 7), invite] });
    requireOneSlot({ streams: [invite, of('user', 7)] });
    requireOneSlot({ streams: [guard, of('user', 7), of('session', 7)] });
  });

  it('may not touch the keyset beside a user', () => {
    const keyset = touch(issuerKeysetId, 'any', { kind: 'keyset' });
    expect(() => requireOneSlot({ streams: [of('user', 7), keyset] })).toThrow(crossSlots);
  });
});

describe('the writer', () => {
  // Fails when the writer does not ask: this one has no database that could answer.
  it('sends no command of two slots', async () => {
    const writer = new Writer({ lanes: [], readers: { query: fail }, seal: testSeal });
    const command = commandOf([of('user', 7), of('session', 8)]);
    await expect(writer.append(command)).rejects.toThrow(crossSlots);
    expect(writer.queued).toBe(0);
  });
});

function fail(): never {
  throw new Error('nothing is asked');
}
