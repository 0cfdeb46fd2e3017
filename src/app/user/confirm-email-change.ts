import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { parseEmail } from '../../domain/user/identifier.ts';
import type { MailLink } from '../../domain/user/mail-link.ts';
import { UniqueViolationError } from '../../eventlog/command.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { identifierMac } from '../../platform/crypto/identifier-index.ts';
import { bytea } from '../../platform/postgres/bytea.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';
import { findUserWithSessions, guarded } from '../guard.ts';
import { PersonalData } from '../personal-data.ts';
import { endSessions } from '../session/end-sessions.ts';
import { changeUser } from './change-user.ts';
import { presentedLink, requireLink } from './mail-proof.ts';

export interface EmailConfirmation {
  readonly userId: string;
  /** The one session that lives on. */
  readonly sessionId: string;
  readonly token: string;
}

/**
 * Replaces the user's address by the one that the link was sent to. It takes the link and a session
 * of the same user: who clicks a link that a stranger caused confirms nothing. Every other session
 * ends, because an address is a way to log in (OWASP ASVS 5.0, 7.4.3). Raises `invalid_credentials`
 * (the link), `conflict` (another user has the address by now), `unavailable`.
 */
export async function confirmEmailChange(
  node: Node,
  input: EmailConfirmation,
  by: By,
): Promise<void> {
  const { userId, token } = input;
  try {
    const link = presentedLink(token);
    if (link.userId !== userId) {
      throw new LatchkeyError('invalid_token', { detail: 'the link of another user' });
    }
    await node.cells.of(userId).handler.run(userId, () => attempt(node, { ...input, link }, by));
  } catch (error) {
    if (error instanceof UniqueViolationError && error.constraint === 'credentials_pkey') {
      throw new LatchkeyError('conflict', { detail: 'address was taken meanwhile', cause: error });
    }
    if (!(error instanceof LatchkeyError) || error.code !== 'invalid_token') throw error;
    // `invalid_token` would be about the access token, and a client would drop its session.
    throw new LatchkeyError('invalid_credentials', { cause: error, detail: error.detail ?? '' });
  }
}

async function attempt(
  node: Node,
  { userId, sessionId, link }: EmailConfirmation & { readonly link: MailLink },
  by: By,
): Promise<Attempt<void>> {
  const now = node.now();
  const [user, live] = await findUserWithSessions(node.cells.of(userId).readers, userId);
  requireLink(node, user, 'email_change', link);
  const personal = await PersonalData.of(node.subjectKeys, userId, user.subjectKey);
  const email = parseEmail(personal.profile(user.state.newEmailPii).email);
  if (email === null) throw new Error('an open change of address without an address');
  const change = changeUser(userId, user, {
    type: 'ChangeEmail',
    now,
    requestId: link.requestId,
    pii: personal.seal({ ...personal.profile(user.state.pii), email: email.address }),
  });
  const mac = identifierMac(node.secrets.identifierKey, email.key);
  const replaced = { rows: { credentials: [{ identifier_mac: bytea(mac), user_id: userId }] } };
  const others = live.filter((session) => session.sessionId !== sessionId);
  const ended = endSessions(others, now, 'email_changed');
  return append(by, [guarded(user, change), replaced, ...ended], () =>
    node.metrics.mailProofs.inc({ purpose: 'email_change', outcome: 'proven' }),
  );
}
