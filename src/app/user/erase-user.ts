import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { findLiveSessions } from '../../tables/session.ts';
import { findUserOrTombstone } from '../../tables/user.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { type ErasingNode, erasure } from './erasure.ts';

/**
 * Erases a user in one transaction, and then writes the id down outside the database. A user who
 * was erased before is only written down, if that is still to do: so a retry completes what a crash
 * or a full disk has cut. Raises `not_found`, `conflict` (the last administrator), `unavailable`.
 */
export async function eraseUser(
  node: ErasingNode,
  { userId }: { readonly userId: string },
  by: By,
): Promise<void> {
  const { erasures } = node;
  await erasures.requireWritable();
  const { readers, handler } = node.cells.of(userId);
  await handler.run(userId, async () => {
    const now = node.now();
    // The user first, as in `findUserWithSessions`.
    const user = await findUserOrTombstone(readers, userId);
    if (user === null) throw new LatchkeyError('not_found', { detail: 'no such user' });
    const { erasedAt } = user.state;
    if (erasedAt !== null) {
      return unchanged(() => erasures.recordUnlessThere({ userId, erasedAt }));
    }
    const live = await findLiveSessions(readers, userId);
    const parts = await erasure(node, { user, live, now });
    return append(by, parts, () => erasures.record({ userId, erasedAt: now }));
  });
}
