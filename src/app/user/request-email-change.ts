import { type Authentication, isSufficient } from '../../domain/kernel/authentication-demand.ts';
import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { parseEmail } from '../../domain/user/identifier.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { PayTry } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { findUser, type UserForCommand } from '../../tables/user.ts';
import { append, refuse } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { consecutive } from '../consecutive-changes.ts';
import { PersonalData } from '../personal-data.ts';
import { changeUser } from './change-user.ts';
import { existingUser } from './existing-user.ts';
import { presentedPassword } from './presented-password.ts';

export interface EmailChangeInput {
  readonly userId: string;
  readonly sessionId: string;
  readonly newEmail: string;
  readonly authentication: Authentication;
  /** null: the authentication is recent enough to go without. */
  readonly password: string | null;
  /** Called before a password is compared. */
  readonly payTry: PayTry;
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
  const { readers, handler } = node.cells.of(userId);
  const known = await existingUser(readers, userId);
  const given = password === null ? null : await compared(node, known, { ...input, password }, by);
  await handler.run(userId, () => attempt(node, { input, address: email.address, given }, by));
}

/** A password that was compared with that of the user's row at `comparedWith`. */
interface Compared {
  readonly matches: boolean;
  readonly comparedWith: number | null;
}

async function compared(
  node: Node,
  { state, passwordHash }: UserForCommand,
  { password, payTry }: { readonly password: string; readonly payTry: PayTry },
  by: By,
): Promise<Compared> {
  const presented = presentedPassword(password, passwordHash);
  const turn = { ...turnOf(by), onBegin: payTry };
  const { matches } = await node.hasher.verify(presented.hash, presented.password, turn);
  return { matches, comparedWith: state.passwordChangedAt };
}

async function attempt(
  node: Node,
  asked: {
    readonly input: EmailChangeInput;
    readonly address: string;
    readonly given: Compared | null;
  },
  by: By,
): Promise<Attempt<void>> {
  const { userId, sessionId } = asked.input;
  const now = node.now();
  const user = await findUser(node.cells.of(userId).readers, userId);
  if (user === null) throw new LatchkeyError('invalid_token', { detail: 'user is gone' });
  const personal = await PersonalData.of(node.subjectKeys, userId, user.subjectKey);
  const pii = personal.seal({ email: asked.address });
  const request = { type: 'RequestEmailChange', now, requestId: newId(), pii } as const;
  const count = () =>
    node.metrics.mailProofs.inc({ purpose: 'email_change', outcome: 'requested' });
  if (asked.given === null) return append(by, [changeUser(userId, user, request)], count);
  const checked = changeUser(userId, user, {
    type: 'CheckPassword',
    now,
    ...asked.given,
    // A live session is no stranger: it counts its own failures, and no stranger's lock stops it.
    device: { id: sessionId, epoch: user.state.devices.epoch },
    pii: personal.sealPlace(by),
  });
  if (checked.refusal !== undefined) return refuse(by, checked, 'password does not match');
  return append(by, [consecutive(checked, changeUser(userId, checked, request))], count);
}
