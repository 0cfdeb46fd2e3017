import type { DeviceType } from '@latchkey/contract/device-type';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';
import { findUserWithSessions, guarded } from '../guard.ts';
import { changeUser } from '../user/change-user.ts';
import { endSessions } from './end-sessions.ts';

/**
 * Logout everywhere, or of the chosen sessions, in one transaction with the user guarded, so that a
 * login at the same moment is either ended or begins after it. Only when all sessions end is the
 * user's epoch raised: it kills every access token at once. Answers how many sessions ended.
 */
export async function revokeAllSessions(
  node: Node,
  input: {
    readonly userId: string;
    readonly exceptSessionId: string | null;
    readonly deviceType: DeviceType | null;
  },
  by: By,
): Promise<number> {
  const { readers, handler } = node.cells.of(input.userId);
  return handler.run(input.userId, async () => {
    const now = node.now();
    const [user, live] = await findUserWithSessions(readers, input.userId);
    if (user === null) throw new LatchkeyError('not_found');
    const isEverything = input.exceptSessionId === null && input.deviceType === null;
    const raised = isEverything ? changeUser(user.userId, user, { type: 'RaiseEpoch', now }) : null;
    const ended = endSessions(
      live.filter(
        ({ sessionId, state }) =>
          sessionId !== input.exceptSessionId &&
          (input.deviceType === null || state.deviceType === input.deviceType),
      ),
      now,
      'logout_everywhere',
    );
    return append(by, [guarded(user, raised ?? undefined), ...ended], () => ended.length);
  });
}
