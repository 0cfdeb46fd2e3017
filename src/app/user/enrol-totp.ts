import { randomBytes } from 'node:crypto';
import {
  type Authentication,
  requireAuthentication,
} from '../../domain/kernel/authentication-demand.ts';
import { base32 } from '../../domain/kernel/base32.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { slotOf } from '../../domain/kernel/ids.ts';
import { hasSecondFactor, totpOf } from '../../domain/user/second-factor.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { sendsMail } from '../../node/sends-mail.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { otpauthUri, totpSecretBytes } from '../../platform/crypto/totp.ts';
import { totpKeyId, totpSecretRows } from '../../tables/totp-secret.ts';
import { findUser, type UserForCommand } from '../../tables/user.ts';
import { append, refuse } from '../append.ts';
import type { By } from '../by.ts';
import { consecutive } from '../consecutive-changes.ts';
import { toTime } from '../representations.ts';
import { changeUser } from './change-user.ts';
import { isEnrolmentCode, needsEnrolmentCode } from './enrolment-code.ts';
import { type FactorOwner, personalOf, shownFactor, userIsGone } from './own-factor.ts';
import type { PresentedFactor } from './presented-factor.ts';

export interface EnrolTotpInput extends FactorOwner {
  readonly authentication: Authentication;
  /** Needed by who has a confirmed factor. */
  readonly factor: PresentedFactor | null;
  /** Needed by an administrator without a factor. */
  readonly enrolmentCode: string | null;
}

interface Secret {
  readonly factorId: string;
  readonly text: string;
  readonly wrapped: string;
}

/**
 * Gives the user the secret of an authenticator app, made here. It proves nothing until its first
 * code has come (`confirmTotp`). Who has a factor shows it: the password is not enough to replace it.
 * Who has none has logged in lately and, where there is mail, has proven the address. Raises
 * `insufficient_user_authentication`, `forbidden` (an unproven address, an administrator without an
 * enrolment code), `invalid_request`, `invalid_credentials`, `unavailable`.
 */
export async function enrolTotp(node: Node, input: EnrolTotpInput, by: By) {
  await input.payTry();
  const factorId = newId(slotOf(input.userId));
  const bytes = randomBytes(totpSecretBytes);
  const wrapped = await node.keyWrap.wrap(totpKeyId(factorId), bytes);
  const secret = { factorId, text: base32(bytes), wrapped };
  return node.cells
    .of(input.userId)
    .handler.run(input.userId, () => attempt(node, input, secret, by));
}

async function attempt(
  node: Node,
  input: EnrolTotpInput,
  { factorId, text, wrapped }: Secret,
  by: By,
): Promise<Attempt<{ secret: string; otpauth_uri: string; expires_at: string }>> {
  const { userId, sessionId } = input;
  const user = await findUser(node.cells.of(userId).readers, userId);
  if (user === null) throw userIsGone();
  const enrol = { type: 'EnrolTotp', now: node.now(), factorId } as const;
  let enrolled: ReturnType<typeof changeUser>;
  if (hasSecondFactor(user.state)) {
    const shown = await shownFactor(node, { user, sessionId }, input.factor, by);
    if (shown.refusal !== undefined) return refuse(by, shown, 'second factor does not match');
    enrolled = consecutive(shown, changeUser(userId, shown, enrol));
  } else {
    requireMayEnrolFirst(node, user, input);
    enrolled = changeUser(userId, user, enrol);
  }
  const { expiresAt } = totpOf(enrolled.state).pending!;
  const account = (await personalOf(node, user)).profile(user.state.pii).email;
  const service = new URL(node.config.tokens.issuer).hostname;
  return append(by, [enrolled, { rows: totpSecretRows(factorId, wrapped) }], () => ({
    secret: text,
    otpauth_uri: otpauthUri(text, { service, account }),
    expires_at: toTime(expiresAt),
  }));
}

function requireMayEnrolFirst(node: Node, user: UserForCommand, input: EnrolTotpInput): void {
  const { authentication, enrolmentCode } = input;
  const maxAgeSeconds = node.config.authentication.recentSeconds;
  requireAuthentication(authentication, { maxAgeSeconds }, node.now());
  if (sendsMail(node.config) && !user.state.emailVerified) {
    // The first proof would drop the factor again: somebody else may have made this account.
    const message = 'must be proven first: POST /auth/verify-email/request sends a link';
    throw new LatchkeyError('forbidden', { errors: [{ path: 'email', message }] });
  }
  if (!needsEnrolmentCode(node, user)) return;
  if (enrolmentCode !== null && isEnrolmentCode(node, user, enrolmentCode)) return;
  const message =
    enrolmentCode === null ? 'is required of an administrator' : 'is not the code of this user now';
  throw new LatchkeyError('forbidden', { errors: [{ path: 'enrolment_code', message }] });
}
