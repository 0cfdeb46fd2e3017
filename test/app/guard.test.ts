import { describe, expect, it } from 'vitest';
import { findUserWithSessions, guarded, guardedAdministrators } from '../../src/app/guard.ts';
import { administratorsGuardId } from '../../src/domain/kernel/ids.ts';
import type { StreamTouch } from '../../src/eventlog/command.ts';
import type { SealedReaders } from '../../src/eventlog/record-seal.ts';
import type { UserForCommand } from '../../src/tables/user.ts';

const user = { userId: 'alice', version: 4, guard: 9 } as UserForCommand;

describe('a guarded user', () => {
  // Fails when the guard is not compared or not raised: two commands would not see each other.
  it('is compared and raised, and nothing of it changes', () => {
    expect(guarded(user)).toStrictEqual({
      touch: {
        streamId: 'alice',
        kind: 'user',
        subjectId: 'alice',
        expected: 4,
        events: [],
        guard: 9,
        bumpGuard: true,
      },
      rows: {},
    });
  });

  it('carries the change of its own', () => {
    const touch = { streamId: 'alice', expected: 4, events: [{}] } as unknown as StreamTouch;
    const rows = { users: [{ user_id: 'alice' }] };
    expect(guarded(user, { touch, rows })).toStrictEqual({
      touch: { ...touch, guard: 9, bumpGuard: true },
      rows,
    });
  });
});

describe('the guard of the administrators', () => {
  it('is compared and raised at whatever version, and belongs to nobody', () => {
    expect(guardedAdministrators(3)).toStrictEqual({
      touch: {
        streamId: administratorsGuardId,
        kind: 'user',
        subjectId: null,
        expected: 'any',
        events: [],
        guard: 3,
        bumpGuard: true,
      },
    });
  });
});

describe('a user with its sessions', () => {
  // Fails when both are asked for side by side: a session that began between is missed for good.
  it('is read before they are', async () => {
    const asked: string[] = [];
    const answered: (() => void)[] = [];
    const readers = {
      query: ({ name }: { name: string }) => {
        asked.push(name);
        return new Promise((resolve) => answered.push(() => resolve({ rows: [] })));
      },
    } as unknown as SealedReaders;
    const reading = findUserWithSessions(readers, 'alice');
    await new Promise(setImmediate);
    expect(asked).toEqual(['find-user']);
    answered[0]!();
    await expect.poll(() => answered.length, { interval: 1 }).toBe(2);
    answered[1]!();
    expect(await reading).toEqual([null, []]);
    expect(asked).toEqual(['find-user', expect.stringContaining('sessions')]);
  });
});
