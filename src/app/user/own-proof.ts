import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { Node } from '../../node/node.ts';
import type { Change } from '../../tables/change.ts';
import { findUser, type UserForCommand } from '../../tables/user.ts';
import { type By, turnOf } from '../by.ts';
import { changeUser } from './change-user.ts';
import {
  type FactorOwner,
  personalOf,
  sessionCount,
  shownFactor,
  userIsGone,
} from './own-factor.ts';
import type { PresentedFactor } from './presented-factor.ts';
import { presentedPassword } from './presented-password.ts';

/** What somebody with a session shows to prove to be its user. */
export type OwnProof = PresentedFactor | { readonly kind: 'password'; readonly password: string };

/** A password that was compared; null: a second factor, which the attempt compares. */
export type ComparedPassword = {
  readonly matches: boolean;
  readonly comparedWith: number | null;
} | null;

/** Compares a password once, before the attempts, and pays for the try of either proof. */
export async function comparePassword(
  node: Node,
  { userId, payTry }: Pick<FactorOwner, 'userId' | 'payTry'>,
  proof: OwnProof,
  by: By,
): Promise<ComparedPassword> {
  if (proof.kind !== 'password') {
    await payTry();
    return null;
  }
  const user = await findUser(node.cells.of(userId).readers, userId);
  if (user === null) throw userIsGone();
  const { password, hash } = presentedPassword(proof.password, user.passwordHash);
  const turn = { ...turnOf(by), onBegin: payTry };
  const { matches } = await node.hasher.verify(hash, password, turn);
  return { matches, comparedWith: user.state.passwordChangedAt };
}

/**
 * The change by which the user shows the proof, in the same append as what it is shown for. A live
 * session is no stranger: it counts its own failures, and no stranger's lock stops it. Raises
 * `invalid_credentials`, `conflict` (the password changed meanwhile), `unavailable`.
 */
export async function shownProof(
  node: Node,
  { user, sessionId }: { readonly user: UserForCommand; readonly sessionId: string },
  { proof, compared }: { readonly proof: OwnProof; readonly compared: ComparedPassword },
  by: By,
): Promise<Change<UserState>> {
  if (proof.kind !== 'password') return shownFactor(node, { user, sessionId }, proof, by);
  if (compared === null) throw new LatchkeyError('internal_error', { detail: 'nothing compared' });
  return changeUser(user.userId, user, {
    type: 'CheckPassword',
    now: node.now(),
    ...compared,
    device: sessionCount(user, sessionId),
    pii: (await personalOf(node, user)).sealPlace(by),
  });
}
