import type { MailPurpose } from '../../domain/user/mail-proofs.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { MailSecretContext } from '../../platform/crypto/mail-secret.ts';

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
