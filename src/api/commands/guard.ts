import type { StreamTouch } from '../../eventlog/command.ts';
import { adminGuardStreamId, type UserForCommand } from '../../projections/user.ts';

/**
 * Guards a user in a command that depends on the set of its sessions: two such commands serialise. Given the user's own
 * touch, the events ride on the guard.
 */
export function guardUser(user: UserForCommand, own?: StreamTouch): StreamTouch {
  return {
    streamId: user.userId,
    kind: 'user',
    subjectId: user.userId,
    expected: user.version,
    events: own?.events ?? [],
    guard: user.guard,
    bumpGuard: true,
  };
}

/** Guards the number of administrators: of two commands that counted the same others, one decides again. */
export function guardAdministrators(guard: number): StreamTouch {
  return {
    streamId: adminGuardStreamId,
    kind: 'user',
    subjectId: null,
    expected: 'any',
    events: [],
    guard,
    bumpGuard: true,
  };
}
