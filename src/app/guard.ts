import { administratorsGuardId } from '../domain/kernel/ids.ts';
import type { StreamTouch } from '../eventlog/command.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { findLiveSessions, type SessionRecord } from '../tables/session.ts';
import { findUser, type UserForCommand } from '../tables/user.ts';
import type { Part } from './append.ts';

/**
 * A user and its live sessions for a command under `guarded`. The user comes first: a session
 * that the second read misses began under a later guard, so the append conflicts. Read side by
 * side, it could be missed for good.
 */
export async function findUserWithSessions(
  readers: SealedReaders,
  userId: string,
): Promise<[UserForCommand | null, SessionRecord[]]> {
  const user = await findUser(readers, userId);
  return [user, await findLiveSessions(readers, userId)];
}

/**
 * Guards a user in a command that depends on the set of its sessions: two such commands serialise.
 * Given the user's own change, its events ride on the guard.
 */
export function guarded(
  user: UserForCommand,
  own?: { readonly touch: StreamTouch; readonly rows: Part['rows'] & object },
): Part {
  const alone: StreamTouch = {
    streamId: user.userId,
    kind: 'user',
    subjectId: user.userId,
    expected: user.version,
    events: [],
  };
  const touch = { ...(own?.touch ?? alone), guard: user.guard, bumpGuard: true };
  return { touch, rows: own?.rows ?? {} };
}

/**
 * Guards the number of administrators: of two commands that counted the same others, one decides
 * again.
 */
export function guardedAdministrators(guard: number): Part {
  return {
    touch: {
      streamId: administratorsGuardId,
      kind: 'user',
      subjectId: null,
      expected: 'any',
      events: [],
      guard,
      bumpGuard: true,
    },
  };
}
