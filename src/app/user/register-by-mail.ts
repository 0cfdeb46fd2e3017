import { invalidField } from '../../domain/kernel/errors.ts';
import { type EmailAddress, parseEmail } from '../../domain/user/identifier.ts';
import { UniqueViolationError } from '../../eventlog/command.ts';
import type { Node } from '../../node/node.ts';
import { identifierMac } from '../../platform/crypto/identifier-index.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { sealPersonalData } from '../../platform/crypto/subject-cipher.ts';
import { bytea } from '../../platform/postgres/bytea.ts';
import {
  findUser,
  findUserByIdentifier,
  findUserOrTombstone,
  passwordRows,
} from '../../tables/user.ts';
import { append, unchanged } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { consecutive } from '../consecutive-changes.ts';
import type { JudgedInvite } from '../invite/use-invite.ts';
import { acceptedPassword } from './accepted-password.ts';
import { changeUser } from './change-user.ts';

export interface MailRegistration {
  readonly email: string;
  readonly password: string;
  /** From `registrationId`, with the address. */
  readonly userId: string;
  /** What pays for the registration, where one is needed. A known address uses it up as well. */
  readonly invite: JudgedInvite | null;
}

/**
 * Registers a user whose address a mail proves, and answers nothing: who has a mailbox is told there,
 * and nobody else learns whether the address was known. A new user gets a link; a known one gets
 * another link, or the notice that somebody tried. Both cost a hash. A repeat under the same
 * Idempotency-Key changes nothing. Raises `invalid_request`, `password_refused` (with reasons),
 * `forbidden` (an invite that was used meanwhile), `unavailable`.
 */
export async function registerByMail(node: Node, input: MailRegistration, by: By): Promise<void> {
  const email = parseEmail(input.email);
  if (email === null) throw invalidField('email', 'not an e-mail address');
  const password = acceptedPassword(node, input.password, email.address);
  const hash = await node.hasher.hash(password, turnOf(by));
  const mac = identifierMac(node.secrets.identifierKey, email.key);
  const find = () =>
    node.loginLookups.run(turnOf(by), () => findUserByIdentifier(node.cells.home.readers, mac));
  let known = await find();
  if (known === null) {
    try {
      await registerNew(node, { ...input, email, mac, hash }, by);
      return;
    } catch (error) {
      const isTaken =
        error instanceof UniqueViolationError && error.constraint === 'credentials_pkey';
      if (!isTaken) throw error;
      known = await find();
    }
  }
  if (known !== null && known.userId !== input.userId) {
    await repeatRegistration(node, known.userId, input, by);
  }
}

interface NewUser extends Omit<MailRegistration, 'email' | 'password'> {
  readonly email: EmailAddress;
  readonly mac: Buffer;
  readonly hash: string;
}

async function registerNew(
  node: Node,
  { userId, email, mac, hash, invite }: NewUser,
  by: By,
): Promise<void> {
  const subject = await node.subjectKeys.newSubjectKey(userId);
  const { readers, handler } = node.cells.of(userId);
  await handler.run<void>(userId, async () => {
    if ((await findUserOrTombstone(readers, userId)) !== null) return unchanged(() => {});
    const now = node.now();
    const registered = changeUser(userId, null, {
      type: 'RegisterUser',
      now,
      pii: sealPersonalData(subject.key, userId, { email: email.address }),
      emailVerified: false,
      hasPassword: true,
      roles: [],
    });
    const ask = { type: 'RequestMailProof', now, purpose: 'verification' } as const;
    const asked = changeUser(userId, registered, { ...ask, requestId: newId() });
    const change = consecutive(registered, asked);
    const beside = {
      credentials: [{ identifier_mac: bytea(mac), user_id: userId }],
      subject_keys: [{ subject_id: userId, wrapped: subject.wrapped }],
      ...passwordRows(userId, change.state, hash),
    };
    const used = (await invite?.use(userId)) ?? {};
    return append(by, [change, { rows: beside }, used], () =>
      node.metrics.mailProofs.inc({ purpose: 'verification', outcome: 'requested' }),
    );
  });
}

/** An invite that a known address left unused would tell that it was known. */
async function repeatRegistration(
  node: Node,
  knownId: string,
  { userId, invite }: Pick<MailRegistration, 'userId' | 'invite'>,
  by: By,
): Promise<void> {
  const { readers, handler } = node.cells.of(knownId);
  await handler.run<void>(knownId, async () => {
    const user = await findUser(readers, knownId);
    if (user === null) return unchanged(() => {});
    const command = { type: 'RepeatRegistration', now: node.now(), requestId: newId() } as const;
    const change = changeUser(knownId, user, command);
    const used = (await invite?.use(userId)) ?? {};
    return append(by, [change, used], () => {});
  });
}
