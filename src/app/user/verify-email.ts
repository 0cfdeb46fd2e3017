import type { MailLink } from '../../domain/user/mail-link.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { findUser } from '../../tables/user.ts';
import { append } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { findUserWithSessions, guarded } from '../guard.ts';
import { changeUser } from './change-user.ts';
import { endedByFirstProof } from './first-proof.ts';
import { presentedLink, requireLink } from './mail-proof.ts';
import { presentedPassword } from './presented-password.ts';

export interface VerifyEmailInput {
  readonly token: string;
  /** The password of the account, which is kept only if it is repeated here. */
  readonly password: string | null;
}

/**
 * Proves the user's address by the link that was sent to it, and logs nobody in. Every session and
 * device from before ends, and so does the password unless it is repeated: whoever made the account
 * may have been somebody else. Raises `invalid_token`, `unavailable`.
 */
export async function verifyEmail(node: Node, input: VerifyEmailInput, by: By): Promise<void> {
  const link = presentedLink(input.token);
  const { readers, handler } = node.cells.of(link.userId);
  const known = await node.loginLookups.run(turnOf(by), () => findUser(readers, link.userId));
  requireLink(node, known, 'verification', link);
  const keepsPassword = await isRepeated(node, known.passwordHash, input.password, by);
  await handler.run(link.userId, () => attempt(node, { link, keepsPassword }, by));
}

async function isRepeated(node: Node, hash: string | null, text: string | null, by: By) {
  if (hash === null || text === null) return false;
  const presented = presentedPassword(text, hash);
  const { matches } = await node.hasher.verify(presented.hash, presented.password, turnOf(by));
  return matches;
}

async function attempt(
  node: Node,
  { link, keepsPassword }: { readonly link: MailLink; readonly keepsPassword: boolean },
  by: By,
): Promise<Attempt<void>> {
  const now = node.now();
  const { userId, requestId } = link;
  const [user, live] = await findUserWithSessions(node.cells.of(userId).readers, userId);
  // The secret depends on the password too: one that was changed meanwhile was not compared.
  requireLink(node, user, 'verification', link);
  const command = { type: 'VerifyEmail', now, requestId, keepsPassword } as const;
  const change = changeUser(userId, user, command);
  const states = { before: user.state, after: change.state, live };
  const ended = endedByFirstProof(userId, states, now) ?? [];
  return append(
    { ...by, actor: { type: 'user', id: userId } },
    [guarded(user, change), ...ended],
    () => node.metrics.mailProofs.inc({ purpose: 'verification', outcome: 'proven' }),
  );
}
