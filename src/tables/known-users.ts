import type { Queryable } from '../eventlog/queryable.ts';
import { bytea } from '../platform/postgres/bytea.ts';

/** Which of some ids and addresses are taken. */
export interface KnownUsers {
  readonly ids: ReadonlySet<string>;
  /** Those of the ids whose users were erased. */
  readonly erased: ReadonlySet<string>;
  /** The user of an address, by the hexadecimal digits of its lookup key. */
  readonly byIdentifier: ReadonlyMap<string, string>;
  /** The user of a user name, in the same way. */
  readonly byUsername: ReadonlyMap<string, string>;
}

/**
 * Looks for many users at once. The rows' seals are not checked: nothing is granted by what they
 * say, they only keep others from being registered.
 */
export async function findKnownUsers(
  client: Queryable,
  ids: readonly string[],
  identifierMacs: readonly Buffer[],
  usernameMacs: readonly Buffer[],
): Promise<KnownUsers> {
  const { rows } = await client.query({
    name: 'find-known-users',
    text: `select u.user_id, null as identifier, null as username, u.status = 'erased' as erased
        from latchkey.users u
        where u.user_id = any ($1::uuid[])
      union all
      select c.user_id, encode(c.identifier_mac, 'hex'), null, false from latchkey.credentials c
        where c.identifier_mac = any ($2::bytea[])
      union all
      select n.user_id, null, encode(n.identifier_mac, 'hex'), false
        from latchkey.usernames n
        where n.identifier_mac = any ($3::bytea[])`,
    values: [ids, identifierMacs.map(bytea), usernameMacs.map(bytea)],
  });
  const found = rows as unknown as readonly FoundRow[];
  const owners = (column: 'identifier' | 'username') =>
    new Map(found.flatMap((row) => (row[column] === null ? [] : [[row[column], row.user_id]])));
  const isId = (row: FoundRow) => row.identifier === null && row.username === null;
  return {
    ids: new Set(found.filter(isId).map((row) => row.user_id)),
    erased: new Set(found.filter(({ erased }) => erased).map((row) => row.user_id)),
    byIdentifier: owners('identifier'),
    byUsername: owners('username'),
  };
}

interface FoundRow {
  readonly user_id: string;
  readonly identifier: string | null;
  readonly username: string | null;
  readonly erased: boolean;
}
