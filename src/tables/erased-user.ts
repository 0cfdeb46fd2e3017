import type { Queryable } from '../eventlog/queryable.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { safeInteger } from '../platform/postgres/safe-integer.ts';
import { users } from './user.ts';

/** A page of the tombstones, and where the next one begins; null at the end. */
export interface ErasedUsersPage {
  readonly erased: readonly { readonly userId: string; readonly erasedAt: number }[];
  readonly next: string | null;
}

/** In the order of their ids. One that is not to be trusted is left out. */
export async function findErasedUsers(
  client: SealedReaders,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<ErasedUsersPage> {
  const { rows } = await client.query({
    name: 'find-erased-users',
    text: `select ${users.select('u')} from latchkey.users u
      where u.status = 'erased' and ($1::uuid is null or u.user_id > $1)
      order by u.user_id limit $2`,
    values: [after, limit],
  });
  const erased = rows
    .filter((row) => users.accepts(client.seal, row))
    .map((row) => users.record(row))
    .map(({ id, state }) => ({ userId: id, erasedAt: state.erasedAt ?? 0 }));
  return { erased, next: rows.length < limit ? null : (rows.at(-1)!.user_id as string) };
}

export async function countErasedUsers(client: Queryable): Promise<number> {
  const { rows } = await client.query({
    name: 'count-erased-users',
    text: `select count(*) as count from latchkey.users where status = 'erased'`,
  });
  return safeInteger(rows[0]!.count);
}
