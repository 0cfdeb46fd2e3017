import { type Authentication, isSufficient } from '../../domain/kernel/authentication-demand.ts';
import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { parseEmail } from '../../domain/user/identifier.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { findUser } from '../../tables/user.ts';
import { append, refuse } from '../append.ts';
import type { By } from '../by.ts';
import { consecutive } from '../consecutive-changes.ts';
import { changeUser } from './change-user.ts';
import { type FactorOwner, personalOf, userIsGone } from './own-factor.ts';
import { type ComparedPassword, comparePassword, type OwnProof, shownProof } from './own-proof.ts';

export interface EmailChangeInput extends FactorOwner {
  readonly newEmail: string;
  readonly authentication: Authentication;
  /** null: the authentication is recent enough to go without. */
  readonly password: string | null;
}

/**
 * Asks for a link to another address, which replaces the user's once it is used. Nothing is looked up
 * about that address: the answer is the same where another user has it, and only the link tells.
 * Wrong passwords count and lock as at a change of the password. Raises `invalid_request` (no
 * address), `invalid_credentials` (a wrong password, or none and no recent login), `rate_limited`,
 * `conflict` (the password changed meanwhile), `unavailable`.
 */
export async function requestEmailChange(
  node: Node,
  input: EmailChangeInput,
  by: By,
): Promise<void> {
  const email = parseEmail(input.newEmail);
  if (email === null) throw invalidField('new_email', 'not an e-mail address');
  const { userId, authentication, password } = input;
  const lately = { maxAgeSeconds: node.config.authentication.recentSeconds };
  if (password === null && !isSufficient(authentication, lately, node.now())) {
    throw new LatchkeyError('invalid_credentials', { detail: 'no password, no recent login' });
  }
  const proof: OwnProof | null = password === null ? null : { kind: 'password', password };
  const compared = proof === null ? null : await comparePassword(node, input, proof, by);
  const asked = { ...input, address: email.address, proof, compared };
  await node.cells.of(userId).handler.run(userId, () => attempt(node, asked, by));
}

interface Asked extends EmailChangeInput {
  readonly address: string;
  readonly proof: OwnProof | null;
  readonly compared: ComparedPassword;
}

async function attempt(
  node: Node,
  { userId, sessionId, address, proof, compared }: Asked,
  by: By,
): Promise<Attempt<void>> {
  const now = node.now();
  const user = await findUser(node.cells.of(userId).readers, userId);
  if (user === null) throw userIsGone();
  const pii = (await personalOf(node, user)).seal({ email: address });
  const request = { type: 'RequestEmailChange', now, requestId: newId(), pii } as const;
  const count = () =>
    node.metrics.mailProofs.inc({ purpose: 'email_change', outcome: 'requested' });
  if (proof === null) return append(by, [changeUser(userId, user, request)], count);
  const shown = await shownProof(node, { user, sessionId }, { proof, compared }, by);
  if (shown.refusal !== undefined) return refuse(by, shown, 'password does not match');
  return append(by, [consecutive(shown, changeUser(userId, shown, request))], count);
}
