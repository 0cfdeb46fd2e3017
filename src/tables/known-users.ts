import type { Queryable } from '../eventlog/queryable.ts';
import { bytea } from '../platform/postgres/bytea.ts';

/** Which of some ids and addresses are taken. */
export interface KnownUsers {
  readonly ids: ReadonlySet<string>;
  /** The user of an address, by the hexadecimal digits of its lookup key. */
  readonly byIdentifier: ReadonlyMap<string, string>;
}

/**
 * Looks for many users at once. The rows' seals are not checked: nothing is granted by what they
 * say, they only keep others from being registered.
 */
export async function findKnownUsers(
  client: Queryable,
  ids: readonly string[],
  identifierMacs: readonly Buffer[],
): Promise<KnownUsers> {
  const { rows } = await client.query({
    name: 'find-known-users',
    text: `select u.user_id, null as identifier from latchkey.users u
        where u.user_id = any ($1::uuid[])
      union all
      select c.user_id, encode(c.identifier_mac, 'hex') from latchkey.credentials c
        where c.identifier_mac = any ($2::bytea[])`,
    values: [ids, identifierMacs.map(bytea)],
  });
  const found = rows as unknown as readonly { user_id: string; identifier: string | null }[];
  return {
    ids: new Set(found.flatMap((row) => (row.identifier === null ? [row.user_id] : []))),
    byIdentifier: new Map(
      found.flatMap((row) => (row.identifier === null ? [] : [[row.identifier, row.user_id]])),
    ),
  };
}
