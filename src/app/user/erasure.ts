import { adminRole } from '../../domain/user/roles.ts';
import type { Cells } from '../../node/cell.ts';
import type { ErasureLog } from '../../node/erasure-log.ts';
import type { Change } from '../../tables/change.ts';
import type { SessionRecord } from '../../tables/session.ts';
import { countOtherAdmins, type UserForCommand, type UserRecord } from '../../tables/user.ts';
import type { Part } from '../append.ts';
import { consecutive } from '../consecutive-changes.ts';
import { guarded, guardedAdministrators } from '../guard.ts';
import { endSessions } from '../session/end-sessions.ts';
import { changeUser } from './change-user.ts';

/** What the erasure of a user works with. */
export interface ErasingNode {
  readonly cells: Cells;
  readonly erasures: ErasureLog;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

interface ToErase {
  readonly user: UserForCommand;
  readonly live: readonly SessionRecord[];
  readonly now: number;
  /** What was decided on the user before, in the same command. */
  readonly before?: Change<UserRecord['state']>;
}

/**
 * The parts of the command that erases a user: the tombstone, with which the subject key, the
 * password, the address and the device tokens go, and the end of every session. Raises `conflict`
 * for the last administrator.
 */
export async function erasure(
  { cells }: Pick<ErasingNode, 'cells'>,
  { user, live, now, before }: ToErase,
): Promise<readonly Part[]> {
  const others = await countOtherAdmins(cells.home.readers, user.userId);
  const command = { type: 'EraseSubject', now, otherActiveAdmins: others.count } as const;
  const erased = changeUser(user.userId, before ?? user, command);
  return [
    guarded(user, before === undefined ? erased : consecutive(before, erased)),
    ...(user.state.roles.includes(adminRole) ? [guardedAdministrators(others.guard)] : []),
    ...endSessions(live, now, 'user_erased'),
  ];
}
