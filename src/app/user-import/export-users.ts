import { isReservedRole } from '@latchkey/contract/reserved-role';
import type { Node } from '../../node/node.ts';
import { exportedHash } from '../../platform/crypto/stored-hash.ts';
import { listUsers, type UserForCommand } from '../../tables/user.ts';
import { PersonalData } from '../personal-data.ts';
import { representUser } from '../representations.ts';
import type { Fields } from './fields.ts';

export interface ExportedUser {
  /** In the format of `latchkey users import`. */
  readonly user: Fields;
  /** The roles of Latchkey, which an import would refuse. */
  readonly leftOut: readonly string[];
}

const pageUsers = 500;

/**
 * Every user who is there, newest first, a page at a time. An erased one is not. Whoever registers
 * meanwhile may be missing.
 */
export async function* exportUsers(
  node: Pick<Node, 'cells' | 'subjectKeys'>,
  { passwordHashes }: { readonly passwordHashes: boolean },
): AsyncGenerator<ExportedUser> {
  let after: Parameters<typeof listUsers>[1]['after'] = null;
  do {
    const page: UserForCommand[] = await listUsers(node.cells.home.readers, {
      limit: pageUsers,
      after,
    });
    for (const user of page) {
      const personal = await PersonalData.of(node.subjectKeys, user.userId, user.subjectKey);
      const { roles, ...fields } = representUser(user.userId, user.state, personal);
      if (fields.email === '') continue;
      const hash = passwordHashes && user.passwordHash !== null ? user.passwordHash : null;
      const free = roles.filter((role) => !isReservedRole(role));
      yield {
        user: { ...fields, roles: free, ...(hash === null ? {} : exportedHash(hash)) },
        leftOut: roles.filter(isReservedRole),
      };
    }
    const last = page.at(-1);
    const isLast = last === undefined || page.length < pageUsers;
    after = isLast ? null : { registeredAt: last.state.registeredAt, userId: last.userId };
  } while (after !== null);
}
