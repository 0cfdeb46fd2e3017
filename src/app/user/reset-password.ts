import type { MailLink } from '../../domain/user/mail-link.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { findUser, passwordRows } from '../../tables/user.ts';
import { append } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { findUserWithSessions, guarded } from '../guard.ts';
import { PersonalData } from '../personal-data.ts';
import { endSessions } from '../session/end-sessions.ts';
import { acceptedPassword } from './accepted-password.ts';
import { changeUser } from './change-user.ts';
import { presentedLink, requireLink } from './mail-proof.ts';

/**
 * Replaces the password by the link that was sent for it, and logs nobody in. Every session ends and
 * the epoch rises. A locked user may: the link is no guess, and a lock that is younger than the
 * request stays. Raises `invalid_token`, `password_refused` (with reasons; the link stays good),
 * `unavailable`.
 */
export async function resetPassword(
  node: Node,
  { token, newPassword }: { readonly token: string; readonly newPassword: string },
  by: By,
): Promise<void> {
  const link = presentedLink(token);
  const { readers, handler } = node.cells.of(link.userId);
  const known = await node.loginLookups.run(turnOf(by), () => findUser(readers, link.userId));
  requireLink(node, known, 'reset', link);
  const personal = await PersonalData.of(node.subjectKeys, known.userId, known.subjectKey);
  const accepted = acceptedPassword(node, newPassword, personal.profile(known.state.pii).email);
  const hash = await node.hasher.hash(accepted, turnOf(by));
  await handler.run(link.userId, () => attempt(node, { link, hash }, by));
}

async function attempt(
  node: Node,
  { link, hash }: { readonly link: MailLink; readonly hash: string },
  by: By,
): Promise<Attempt<void>> {
  const now = node.now();
  const { userId, requestId } = link;
  const [user, live] = await findUserWithSessions(node.cells.of(userId).readers, userId);
  requireLink(node, user, 'reset', link);
  const change = changeUser(userId, user, { type: 'ResetPassword', now, requestId });
  const replaced = { rows: passwordRows(userId, change.state, hash) };
  const ended = endSessions(live, now, 'password_changed');
  return append(
    { ...by, actor: { type: 'user', id: userId } },
    [guarded(user, change), replaced, ...ended],
    () => node.metrics.mailProofs.inc({ purpose: 'reset', outcome: 'proven' }),
  );
}
