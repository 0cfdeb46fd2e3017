import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { derivedId, derivedSlot } from '../../domain/kernel/ids.ts';
import { type EmailAddress, identifierKey, parseEmail } from '../../domain/user/identifier.ts';
import { UniqueViolationError } from '../../eventlog/command.ts';
import type { PayTry } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { identifierMac } from '../../platform/crypto/identifier-index.ts';
import { drawSlot, newId } from '../../platform/crypto/new-id.ts';
import { sealPersonalData } from '../../platform/crypto/subject-cipher.ts';
import type { Turn } from '../../platform/fair-queue.ts';
import { bytea } from '../../platform/postgres/bytea.ts';
import { streams } from '../../tables/streams.ts';
import { findUserByIdentifier, findUserOrTombstone, passwordRows } from '../../tables/user.ts';
import { append, unchanged } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { stateAfterCommand } from '../first-answer.ts';
import type { JudgedInvite } from '../invite/use-invite.ts';
import { PersonalData } from '../personal-data.ts';
import { representUser } from '../representations.ts';
import { acceptedPassword } from './accepted-password.ts';
import { changeUser } from './change-user.ts';
import { isTakenUsername, requireFreeUsername, takenUsername, usernamePart } from './username.ts';

export interface RegisterInput {
  readonly email: string;
  /** null: an account that an administrator made and that cannot log in with a password yet. */
  readonly password: string | null;
  /** As `acceptedUsername` gives it. */
  readonly username?: string | undefined;
  readonly roles: readonly string[];
  readonly emailVerified: boolean;
  /** From `registrationId`. */
  readonly userId: string;
  /** Called before the answer may tell of an account. */
  readonly payTry?: PayTry;
  /** What pays for the registration, where one is needed. */
  readonly invite?: JudgedInvite;
}

/**
 * The id of the user that a registration makes, in a slot of its own; a retry under its
 * Idempotency-Key names it. `address`: where a key that was used for another address must not tell.
 */
export function registrationId(
  { actor }: Pick<By, 'actor'>,
  idempotencyKey: string | null,
  address: string | null = null,
): string {
  if (idempotencyKey === null) return newId(drawSlot());
  const of = address === null ? [] : [identifierKey(address)];
  const parts = ['register', actor.id ?? '', idempotencyKey, ...of];
  return derivedId(derivedSlot(...parts), ...parts);
}

/**
 * Registers a user: event, row, lookup entry, password hash and subject key in one transaction.
 * With an Idempotency-Key a retry of the same registration answers the same user. Raises
 * `invalid_request`, `password_refused` (with reasons), `conflict` (a known address, or a key used
 * for another), `unavailable`.
 */
export async function registerUser(node: Node, { userId, ...input }: RegisterInput, by: By) {
  const email = parseEmail(input.email);
  if (email === null) {
    throw invalidField('email', 'not an e-mail address');
  }
  const password =
    input.password === null ? null : acceptedPassword(node, input.password, email.address);
  const turn = turnOf(by);
  const { username, roles } = input;
  const registration = { userId, email, password, username, roles };
  const first = await firstAnswer(node, registration, turn);
  if (first !== null) return first;
  try {
    const made = await registerNew(node, { ...input, ...registration }, by);
    if (made !== null) return made;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    // Its address or its invite may be taken by this very registration, which was made meanwhile.
    const madeMeanwhile = await firstAnswer(node, registration, turn);
    if (madeMeanwhile !== null) return madeMeanwhile;
    if (refusal.code === 'conflict') await input.invite?.refuseTaken();
    throw refusal;
  }
  const madeMeanwhile = await firstAnswer(node, registration, turn);
  if (madeMeanwhile === null) throw new Error('a user that was there is not there');
  return madeMeanwhile;
}

/** What one registration asks for. */
interface Registration {
  readonly userId: string;
  readonly email: EmailAddress;
  readonly password: string | null;
  readonly username: string | undefined;
  readonly roles: readonly string[];
}

/** null: there is such a user by now, from another try under the same key. */
async function registerNew(
  node: Node,
  input: Registration & Pick<RegisterInput, 'emailVerified' | 'payTry' | 'invite'>,
  by: By,
) {
  const { userId, email, password, username } = input;
  const mac = identifierMac(node.secrets.identifierKey, email.key);
  // Hashed before the address is looked up: a hash that is shed must not tell that it is unknown.
  const hash = password === null ? null : await node.hasher.hash(password, turnOf(by));
  await input.payTry?.();
  if ((await findUserByIdentifier(node.cells.home.readers, mac)) !== null) {
    throw new LatchkeyError('conflict', { detail: 'address is taken' });
  }
  if (username !== undefined) await requireFreeUsername(node, username, userId);
  const subject = await node.subjectKeys.newSubjectKey(userId);
  const { readers, handler } = node.cells.of(userId);
  return handler.run(userId, async () => {
    if ((await findUserOrTombstone(readers, userId)) !== null) return unchanged(() => null);
    const registered = changeUser(userId, null, {
      type: 'RegisterUser',
      now: node.now(),
      pii: sealPersonalData(subject.key, userId, {
        email: email.address,
        ...(username === undefined ? {} : { username }),
      }),
      emailVerified: input.emailVerified,
      hasPassword: hash !== null,
      roles: input.roles,
    });
    const joined = await input.invite?.use(userId);
    const beside = {
      credentials: [{ identifier_mac: bytea(mac), user_id: userId }],
      subject_keys: [{ subject_id: userId, wrapped: subject.wrapped }],
      ...passwordRows(userId, registered.state, hash),
    };
    const named = usernamePart(node, userId, username);
    return append(by, [registered, { rows: beside }, named, joined ?? {}], async () => {
      const personal = await PersonalData.of(node.subjectKeys, userId, subject.wrapped);
      return representUser(userId, registered.state, personal);
    });
  });
}

/** The refusal of an address or an invite that is taken, or null. */
function refusalOf(error: unknown): LatchkeyError | null {
  if (error instanceof UniqueViolationError && error.constraint === 'credentials_pkey') {
    return new LatchkeyError('conflict', { detail: 'address was taken meanwhile', cause: error });
  }
  if (isTakenUsername(error)) return takenUsername(error);
  const isTaken = error instanceof LatchkeyError && ['conflict', 'forbidden'].includes(error.code);
  return isTaken ? error : null;
}

/**
 * What the first try under the same key answered, even if the user has changed since; null when
 * there was none. The answer is as durable as it was then. Raises `conflict` when the key was used
 * for another registration. The password is compared as long as the user has not changed it:
 * guessing passwords here takes the key, and the limits of registration apply.
 */
async function firstAnswer(
  { cells, subjectKeys, hasher }: Node,
  { userId, email, password, username, roles }: Registration,
  turn: Turn,
) {
  const { readers, handler } = cells.of(userId);
  const existing = await findUserOrTombstone(readers, userId);
  if (existing === null) return null;
  if (existing.state.status === 'erased') {
    throw new LatchkeyError('conflict', { detail: 'the user under this key was erased' });
  }
  const first = await handler.run(userId, async () => {
    const state = await stateAfterCommand(readers, userId, null, streams.user);
    if (state === null) throw new Error('a user without a beginning');
    return unchanged(() => state);
  });
  const personal = await PersonalData.of(subjectKeys, userId, existing.subjectKey);
  const user = representUser(userId, first, personal);
  const wantedRoles = [...new Set(roles)].sort();
  const isSame =
    parseEmail(user.email)?.key === email.key &&
    user.username === username &&
    JSON.stringify(wantedRoles) === JSON.stringify(first.roles) &&
    first.hasPassword === (password !== null);
  const isComparable = existing.state.passwordChangedAt === first.passwordChangedAt;
  if (isSame && password !== null && isComparable) {
    const { matches } = await hasher.verify(existing.passwordHash, password, turn);
    if (matches) return user;
  } else if (isSame) {
    return user;
  }
  throw new LatchkeyError('conflict', { detail: 'Idempotency-Key was used for another user' });
}
