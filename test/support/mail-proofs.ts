import { mailSecretContext } from '../../src/app/user/mail-proof.ts';
import { encodeMailLink } from '../../src/domain/user/mail-link.ts';
import type { MailPurpose } from '../../src/domain/user/mail-proofs.ts';
import type { Node } from '../../src/node/node.ts';
import { mailCode, mailLinkSecret } from '../../src/platform/crypto/mail-secret.ts';
import { openOtpHandle } from '../../src/platform/crypto/otp-handle.ts';
import { findUser } from '../../src/tables/user.ts';
import type { TestApi } from './api.ts';

/** The handle of a request for a code. */
export async function askForCode(api: TestApi, email: string): Promise<string> {
  const { status, body } = await api.call('POST', '/auth/request-otp', { body: { email } });
  if (status !== 202) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body.request_id;
}

/** The code that the mail for this handle says, derived from the user's row as delivery does. */
export async function codeInMail(node: Node, handle: string): Promise<string> {
  const asked = openOtpHandle(node.secrets.otpHandleKey, handle);
  if (asked === null) throw new Error('no handle');
  const user = await userOf(node, asked.userId);
  const context = mailSecretContext(asked.userId, user.state, 'otp', asked.requestId);
  return mailCode(node.secrets.mailProofKey, context);
}

/** The token of the open link of this purpose, as the mail carries it in the fragment. */
export async function linkInMail(
  node: Node,
  userId: string,
  purpose: Exclude<MailPurpose, 'otp'>,
): Promise<string> {
  const { state } = await userOf(node, userId);
  const requestId = state.mailProofs?.open[purpose]?.requestId;
  if (requestId === undefined) throw new Error(`no open link for ${purpose}`);
  const context = mailSecretContext(userId, state, purpose, requestId);
  const secret = mailLinkSecret(node.secrets.mailProofKey, context);
  return encodeMailLink({ userId, requestId, secret });
}

/** Another code of six digits. */
export function anotherCode(code: string): string {
  return String((Number(code) + 1) % 1_000_000).padStart(6, '0');
}

async function userOf(node: Node, userId: string) {
  const user = await findUser(node.cells.of(userId).readers, userId);
  if (user === null) throw new Error('no such user');
  return user;
}
