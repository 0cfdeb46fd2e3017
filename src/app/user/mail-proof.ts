import { timingSafeEqual } from 'node:crypto';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { decodeMailLink, type MailLink } from '../../domain/user/mail-link.ts';
import { type MailPurpose, openProof } from '../../domain/user/mail-proofs.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { Node } from '../../node/node.ts';
import { type MailSecretContext, mailLinkSecret } from '../../platform/crypto/mail-secret.ts';
import type { UserForCommand } from '../../tables/user.ts';

/**
 * What the secret of a code or a link is derived from, by the user's row: another address or another
 * password makes it another secret.
 */
export function mailSecretContext(
  userId: string,
  { emailVersion, passwordChangedAt }: UserState,
  purpose: MailPurpose,
  requestId: string,
): MailSecretContext {
  return { purpose, userId, requestId, emailVersion, passwordChangedAt };
}

/** The parts of the token of a link. Raises `invalid_token` for any other text. */
export function presentedLink(token: string): MailLink {
  const link = decodeMailLink(token);
  if (link === null) throw new LatchkeyError('invalid_token', { detail: 'no link of ours' });
  return link;
}

/**
 * Raises `invalid_token` unless this is the open link of the user for `purpose`, by the row as it is
 * now. To be asked again inside the attempt that uses the link up.
 */
export function requireLink(
  node: Pick<Node, 'secrets' | 'now' | 'metrics'>,
  user: Pick<UserForCommand, 'userId' | 'state'> | null,
  purpose: MailPurpose,
  link: MailLink,
): asserts user is UserForCommand {
  if (user !== null && isOpen(node, user, purpose, link)) return;
  node.metrics.mailProofs.inc({ purpose, outcome: 'refused' });
  throw new LatchkeyError('invalid_token', { detail: `the link for ${purpose} is not open` });
}

function isOpen(
  { secrets, now }: Pick<Node, 'secrets' | 'now'>,
  { userId, state }: Pick<UserForCommand, 'userId' | 'state'>,
  purpose: MailPurpose,
  { requestId, secret }: MailLink,
): boolean {
  const context = mailSecretContext(userId, state, purpose, requestId);
  const isOurs = timingSafeEqual(mailLinkSecret(secrets.mailProofKey, context), secret);
  return isOurs && openProof(state.mailProofs, purpose, now())?.requestId === requestId;
}
