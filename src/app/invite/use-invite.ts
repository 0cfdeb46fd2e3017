import type { RequestContext } from '../../api/http/request-context.ts';
import { requireGoodInvite } from '../../domain/invite/decide.ts';
import { decodeInviteCode } from '../../domain/invite/invite-code.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Command } from '../../eventlog/command.ts';
import type { Services } from '../../node/services.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { changeInvite } from '../../tables/change.ts';
import { findInvite } from '../../tables/invite.ts';
import { metaOf } from '../actor.ts';

/** An invite that was good when it was judged. */
export interface JudgedInvite {
  /**
   * Its use, to join the registration's transaction: of two registrations with one invite, one
   * succeeds. Raises `forbidden`.
   */
  use(userId: string): Promise<Pick<Command, 'streams' | 'rows'>>;
  /** Records that the address is taken, and raises `conflict`, or `forbidden` after too many. */
  refuseTaken(): Promise<never>;
}

/**
 * Judges an invite before anything of the address is looked at: who has no good one learns nothing.
 * `registrationId`: the user that this registration would make; an invite which made that very user
 * is good for a retry. Raises `forbidden`.
 */
export async function judgeInvite(
  services: Services,
  code: string | undefined,
  registrationId: string,
  context: RequestContext,
): Promise<JudgedInvite> {
  const decoded = code === undefined ? null : decodeInviteCode(code);
  if (decoded === null) throw new LatchkeyError('forbidden', { detail: 'no invite' });
  const { inviteId, secretHash } = decoded;
  const known = await findInvite(services.readers, inviteId);
  if (known === null) throw new LatchkeyError('forbidden', { detail: 'invite: unknown' });
  const paidForIt = known.state.secretHash === secretHash && known.state.usedBy === registrationId;
  if (!paidForIt) requireGoodInvite(known.state, services.now(), secretHash);
  return {
    async use(userId) {
      const change = changeInvite(inviteId, await findInvite(services.readers, inviteId), {
        type: 'UseInvite',
        now: services.now(),
        secretHash,
        userId,
      });
      return { streams: [change.touch], rows: change.rows };
    },
    refuseTaken: () =>
      services.handler.run<never>(inviteId, async () => {
        const change = changeInvite(inviteId, await findInvite(services.readers, inviteId), {
          type: 'TryInvite',
          now: services.now(),
          secretHash,
        });
        return {
          command: {
            commandId: newId(),
            meta: metaOf(context),
            streams: [change.touch],
            rows: change.rows,
          },
          answer: () => {
            throw new LatchkeyError(change.refusal!, { detail: 'invite: the address is taken' });
          },
        };
      }),
  };
}
