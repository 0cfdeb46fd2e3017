import { decodeInviteCode } from '../../domain/invite/invite-code.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { changeInvite } from '../../projections/change.ts';
import { findInvite } from '../../projections/invite.ts';
import type { Services } from '../services.ts';
import type { RegisterInput } from './register-user.ts';

/**
 * The use of an invite, to join the registration's transaction: of two registrations with one
 * invite, one succeeds. A code that was never given out raises `forbidden` here, before anything is
 * looked up for a stranger; a used or expired one does when the registration is decided, so that a
 * retry of the registration it paid for still finds its user.
 */
export async function useInvite(
  services: Services,
  code: string | undefined,
): Promise<NonNullable<RegisterInput['join']>> {
  const decoded = code === undefined ? null : decodeInviteCode(code);
  if (decoded === null) throw new LatchkeyError('forbidden', { detail: 'no invite' });
  const { inviteId, secretHash } = decoded;
  const known = await findInvite(services.readers, inviteId);
  if (known?.state.secretHash !== secretHash) {
    throw new LatchkeyError('forbidden', { detail: 'invite: unknown or wrong secret' });
  }
  return async (userId) => {
    const change = changeInvite(inviteId, await findInvite(services.readers, inviteId), {
      type: 'UseInvite',
      now: services.now(),
      secretHash,
      userId,
    });
    return { streams: [change.touch], rows: change.rows };
  };
}
