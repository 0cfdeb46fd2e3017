import type { Attempt } from '../../eventlog/handle.ts';
import type { PayTry } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { findUser, passwordRows, type UserForCommand } from '../../tables/user.ts';
import { append, refuse } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { consecutive } from '../consecutive-changes.ts';
import { findUserWithSessions, guarded } from '../guard.ts';
import { PersonalData } from '../personal-data.ts';
import { endSessions } from '../session/end-sessions.ts';
import { acceptedPassword } from './accepted-password.ts';
import { changeUser } from './change-user.ts';
import { userIsGone } from './own-factor.ts';
import { shownProof } from './own-proof.ts';
import { presentedPassword } from './presented-password.ts';

export interface ChangePasswordInput {
  readonly userId: string;
  /** The one session that lives on. */
  readonly sessionId: string;
  readonly currentPassword: string;
  readonly newPassword: string;
  /** Called before the password is compared. */
  readonly payTry: PayTry;
}

/**
 * Replaces the password once the present one was given; wrong ones count and lock apart, for this
 * session. In the same transaction every other session ends and the user's epoch rises: all access
 * tokens are stale, and only the session that asked can refresh. Raises `invalid_credentials`,
 * `password_refused` (with reasons), `conflict`, `invalid_token`, `unavailable`.
 */
export async function changePassword(
  node: Node,
  input: ChangePasswordInput,
  by: By,
): Promise<void> {
  const known = await existing(node, input.userId);
  const personal = await PersonalData.of(node.subjectKeys, known.userId, known.subjectKey);
  const { email } = personal.profile(known.state.pii);
  const accepted = acceptedPassword(node, input.newPassword, email);
  const turn = turnOf(by);
  const presented = presentedPassword(input.currentPassword, known.passwordHash);
  const { matches } = await node.hasher.verify(presented.hash, presented.password, {
    ...turn,
    onBegin: input.payTry,
  });
  const hash = matches ? await node.hasher.hash(accepted, turn) : null;
  await node.cells
    .of(known.userId)
    .handler.run(known.userId, () =>
      attempt(node, input, { hash, comparedWith: known.state.passwordChangedAt }, by),
    );
}

/** `hash`: of the new password; null when the present one did not match. */
interface Checked {
  readonly hash: string | null;
  readonly comparedWith: number | null;
}

async function attempt(
  node: Node,
  { userId, sessionId, currentPassword: password }: ChangePasswordInput,
  { hash, comparedWith }: Checked,
  by: By,
): Promise<Attempt<undefined>> {
  const now = node.now();
  const [user, live] = await findUserWithSessions(node.cells.of(userId).readers, userId);
  if (user === null) throw userIsGone();
  const proof = { kind: 'password', password } as const;
  const compared = { matches: hash !== null, comparedWith };
  const checked = await shownProof(node, { user, sessionId }, { proof, compared }, by);
  if (hash === null || checked.refusal !== undefined) {
    return refuse(by, checked, 'current password does not match');
  }
  const changed = consecutive(
    checked,
    changeUser(userId, checked, { type: 'ChangePassword', now }),
  );
  const others = live.filter((session) => session.sessionId !== sessionId);
  const ended = endSessions(others, now, 'password_changed');
  const replaced = { rows: passwordRows(userId, changed.state, hash) };
  return append(by, [guarded(user, changed), replaced, ...ended], () => undefined);
}

async function existing(node: Node, userId: string): Promise<UserForCommand> {
  const user = await findUser(node.cells.of(userId).readers, userId);
  if (user === null) throw userIsGone();
  return user;
}
