import { isReservedRole } from '@latchkey/contract/reserved-role';
import { hasSecondFactor } from '../../domain/user/second-factor.ts';
import type { Node } from '../../node/node.ts';
import { exportedHash } from '../../platform/crypto/stored-hash.ts';
import {
  listUsers,
  type UserForCommand,
  type UserPlace,
  type UsersPage,
} from '../../tables/user.ts';
import { PersonalData } from '../personal-data.ts';
import { representUser } from '../representations.ts';
import type { Fields } from './fields.ts';

export interface ExportedUser {
  /** In the format of `latchkey users import`. */
  readonly user: Fields;
  /** The roles of Latchkey, which an import would refuse. */
  readonly rolesLeftOut: readonly string[];
  /** The secret of a second factor never leaves an installation. */
  readonly secondFactorLeftOut: boolean;
}

export interface ExportedPage {
  readonly users: readonly ExportedUser[];
  /** How many users had to be left out: their rows are not to be trusted, or their keys are gone. */
  readonly leftOut: number;
}

type ExportingNode = Pick<Node, 'cells' | 'subjectKeys'>;

interface ExportOptions {
  readonly passwordHashes: boolean;
}

const pageUsers = 500;

/**
 * Every user who is there, newest first, a page at a time. An erased one is not. Whoever registers
 * meanwhile may be missing.
 */
export async function* exportUsers(
  node: ExportingNode,
  options: ExportOptions,
): AsyncGenerator<ExportedPage> {
  let after: UserPlace | null = null;
  do {
    const page: UsersPage = await listUsers(node.cells.home.readers, { limit: pageUsers, after });
    const users: ExportedUser[] = [];
    for (const user of page.users) {
      const exported = await exportUser(node, user, options);
      if (exported !== null) users.push(exported);
    }
    yield { users, leftOut: page.leftOut + page.users.length - users.length };
    after = page.next;
  } while (after !== null);
}

/** null when nobody can read the address any more, without which no import takes the user. */
async function exportUser(
  { subjectKeys }: ExportingNode,
  { userId, state, subjectKey, passwordHash }: UserForCommand,
  { passwordHashes }: ExportOptions,
): Promise<ExportedUser | null> {
  const personal = await PersonalData.of(subjectKeys, userId, subjectKey);
  const { roles, ...fields } = representUser(userId, state, personal);
  if (fields.email === '') return null;
  const hash = passwordHashes ? passwordHash : null;
  const free = roles.filter((role) => !isReservedRole(role));
  return {
    user: { ...fields, roles: free, ...(hash === null ? {} : exportedHash(hash)) },
    rolesLeftOut: roles.filter(isReservedRole),
    secondFactorLeftOut: hasSecondFactor(state),
  };
}
