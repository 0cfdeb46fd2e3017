import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { derivedId } from '../../domain/kernel/ids.ts';
import { type EmailAddress, parseEmail } from '../../domain/user/identifier.ts';
import { bytea } from '../../eventlog/append.ts';
import { UniqueViolationError } from '../../eventlog/command.ts';
import { identifierMac } from '../../platform/identifier-index.ts';
import { newId } from '../../platform/new-id.ts';
import { sealPersonalData } from '../../platform/subject-cipher.ts';
import { changeUser, mergeRows } from '../../projections/change.ts';
import { findUser, findUserByIdentifier, passwordRows } from '../../projections/user.ts';
import { networkOf } from '../client-address.ts';
import { PersonalData } from '../personal-data.ts';
import { representUser } from '../representations.ts';
import type { RequestContext } from '../request-context.ts';
import type { Services } from '../services.ts';
import { acceptedPassword } from './accepted-password.ts';
import { metaOf } from './actor.ts';
import type { JudgedInvite } from './use-invite.ts';

export interface RegisterInput {
  readonly email: string;
  /** null: an account that an administrator made and that cannot log in with a password yet. */
  readonly password: string | null;
  readonly roles: readonly string[];
  readonly emailVerified: boolean;
  /** From `registrationId`. */
  readonly userId: string;
  /** What pays for the registration, where one is needed. */
  readonly invite?: JudgedInvite;
}

/** The id of the user that a registration makes; a retry under its Idempotency-Key names it. */
export function registrationId(
  { actor }: Pick<RequestContext, 'actor'>,
  idempotencyKey: string | null,
): string {
  return idempotencyKey === null ? newId() : derivedId('register', actor.id ?? '', idempotencyKey);
}

/**
 * Registers a user: event, row, lookup entry, password hash and subject key in one transaction.
 * With an Idempotency-Key a retry of the same registration answers the same user. Raises
 * `invalid_request`, `password_refused` (with reasons), `conflict` (a known address, or a key used
 * for another), `unavailable`.
 */
export async function registerUser(
  services: Services,
  input: RegisterInput,
  context: RequestContext,
) {
  const email = parseEmail(input.email);
  if (email === null) {
    throw new LatchkeyError('invalid_request', {
      errors: [{ path: 'email', message: 'not an e-mail address' }],
    });
  }
  const password =
    input.password === null ? null : acceptedPassword(services, input.password, email.address);
  const userId = input.userId;
  const mac = identifierMac(services.secrets.identifierKey, email.key);
  const replayed = await replay(services, userId, { email, roles: input.roles });
  if (replayed !== null) return replayed;
  // Hashed before the address is looked up: a hash that is shed must not tell that it is unknown.
  const turn = { group: networkOf(context.clientAddress) };
  const hash = password === null ? null : await services.hasher.hash(password, turn);
  if ((await findUserByIdentifier(services.readers, mac)) !== null) {
    await input.invite?.refuseTaken();
    throw new LatchkeyError('conflict', { detail: 'address is taken' });
  }
  const subject = await services.subjectKeys.newSubjectKey(userId);
  try {
    return await services.handler.run(userId, async () => {
      const again = await replay(services, userId, { email, roles: input.roles });
      if (again !== null) return { command: null, answer: () => again };
      const registered = changeUser(userId, null, {
        type: 'RegisterUser',
        now: services.now(),
        pii: sealPersonalData(subject.key, userId, { email: email.address }),
        emailVerified: input.emailVerified,
        hasPassword: hash !== null,
        roles: input.roles,
      });
      const joined = await input.invite?.use(userId);
      return {
        command: {
          commandId: newId(),
          meta: metaOf(context),
          streams: [registered.touch, ...(joined?.streams ?? [])],
          rows: mergeRows(
            registered.rows,
            {
              credentials: [{ identifier_mac: bytea(mac), user_id: userId }],
              subject_keys: [{ subject_id: userId, wrapped: subject.wrapped }],
            },
            passwordRows(userId, registered.state, hash),
            joined?.rows ?? {},
          ),
        },
        answer: async () =>
          representUser(
            userId,
            registered.state,
            await PersonalData.of(services.subjectKeys, userId, subject.wrapped),
          ),
      };
    });
  } catch (error) {
    if (error instanceof UniqueViolationError && error.constraint === 'credentials_pkey') {
      await input.invite?.refuseTaken();
      throw new LatchkeyError('conflict', { detail: 'address was taken meanwhile', cause: error });
    }
    throw error;
  }
}

/**
 * What the first try under the same key answered, and no more: whoever repeats it has shown no
 * password. Raises `conflict` when it was for another address.
 */
async function replay(
  services: Services,
  userId: string,
  first: { readonly email: EmailAddress; readonly roles: readonly string[] },
) {
  const existing = await findUser(services.readers, userId);
  if (existing === null) return null;
  const personal = await PersonalData.of(services.subjectKeys, userId, existing.subjectKey);
  const user = representUser(userId, existing.state, personal);
  if (parseEmail(user.email)?.key !== first.email.key) {
    throw new LatchkeyError('conflict', { detail: 'Idempotency-Key was used for another address' });
  }
  const { id, email, email_verified, created_at } = user;
  return { id, email, email_verified, roles: first.roles, created_at, disabled: false };
}
