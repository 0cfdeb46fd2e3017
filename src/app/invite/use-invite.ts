import { requireGoodInvite } from '../../domain/invite/decide.ts';
import { decodeInviteCode } from '../../domain/invite/invite-code.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';
import { findInvite } from '../../tables/invite.ts';
import { type Part, refuse } from '../append.ts';
import type { By } from '../by.ts';
import { changeInvite } from './change-invite.ts';

/** An invite that was good when it was judged. */
export interface JudgedInvite {
  /**
   * Its use, to join the registration's transaction: of two registrations with one invite, one
   * succeeds. Raises `forbidden`.
   */
  use(userId: string): Promise<Part>;
  /** Records that the address is taken, and raises `conflict`, or `forbidden` after too many. */
  refuseTaken(): Promise<never>;
}

/**
 * Judges an invite before anything of the address is looked at: who has no good one learns nothing.
 * `registrationId`: the user that this registration would make; an invite which made that very user
 * is good for a retry. Raises `forbidden`.
 */
export async function judgeInvite(
  node: Node,
  { code, registrationId }: { readonly code: string | undefined; readonly registrationId: string },
  by: By,
): Promise<JudgedInvite> {
  const decoded = code === undefined ? null : decodeInviteCode(code);
  if (decoded === null) throw new LatchkeyError('forbidden', { detail: 'no invite' });
  const { inviteId, secretHash } = decoded;
  const { readers, handler } = node.cells.home;
  const known = await findInvite(readers, inviteId);
  if (known === null) throw new LatchkeyError('forbidden', { detail: 'invite: unknown' });
  const paidForIt = known.state.secretHash === secretHash && known.state.usedBy === registrationId;
  if (!paidForIt) requireGoodInvite(known.state, node.now(), secretHash);
  return {
    async use(userId) {
      return changeInvite(inviteId, await findInvite(readers, inviteId), {
        type: 'UseInvite',
        now: node.now(),
        secretHash,
        userId,
      });
    },
    refuseTaken: () =>
      handler.run<never>(inviteId, async () => {
        const change = changeInvite(inviteId, await findInvite(readers, inviteId), {
          type: 'TryInvite',
          now: node.now(),
          secretHash,
        });
        return refuse(by, change, 'invite: the address is taken');
      }),
  };
}
