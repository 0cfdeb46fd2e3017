import { limits } from '../../domain/kernel/limits.ts';
import { usernameProblems } from '../../domain/user/username.ts';
import { hashProblems } from '../../platform/crypto/stored-hash.ts';

/** Why a user is not imported. */
export const importRefusals = {
  not_json: 'Not a JSON object in UTF-8.',
  too_long: 'Longer than 1 MiB.',
  unknown_field: 'Holds a field that an import does not know, or one of the wrong type.',
  id_invalid:
    'Needs an `id`: 1 to 255 visible ASCII characters without an @, because the ids of users are ' +
    'never erased.',
  id_known: 'A user with this id has another address.',
  erased: 'This user was erased here, and stays so.',
  id_taken: 'This id belongs to something else in this installation.',
  address_invalid: 'Holds no e-mail address that Latchkey takes.',
  address_known: 'A user with this address exists.',
  ...usernameProblems,
  name_known: 'Another user has this user name.',
  ...hashProblems,
  role_invalid: `Holds a role that is no role name, or more than ${limits.rolesPerUserMax} roles.`,
  role_reserved: 'Holds a role of Latchkey: grant it by hand.',
  profile_invalid: 'A name, phone number or picture is not as `PATCH /auth/me` takes it.',
  deleted: 'The other system has deleted this user.',
} as const;

export type ImportRefusal = keyof typeof importRefusals;
