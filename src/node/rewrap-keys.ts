import type pg from 'pg';
import type { Queryable } from '../eventlog/queryable.ts';
import type { KeyWrap } from '../platform/crypto/key-wrap.ts';
import { subjectKeyId } from '../platform/crypto/subject-cipher.ts';

/** A table of wrapped keys, and under which key id each of its rows is wrapped. */
interface WrappedTable {
  readonly name: string;
  readonly idColumn: string;
  readonly idType: 'text' | 'uuid';
  readonly keyId: (id: string) => string;
}

const tables: readonly WrappedTable[] = [
  { name: 'latchkey.key_secrets', idColumn: 'kid', idType: 'text', keyId: (kid) => kid },
  {
    name: 'latchkey.subject_keys',
    idColumn: 'subject_id',
    idType: 'uuid',
    keyId: subjectKeyId,
  },
];

export interface Rewrapped {
  /** How many keys this run has wrapped anew, by table. */
  readonly rewrapped: Readonly<Record<string, number>>;
  /** How many keys stand there now, all of them under the wrapping key. */
  readonly keys: number;
}

const pageRows = 500;

/** The key-encryption key that wrapped a row: its header says so, and the row opens under no other. */
const kekIdOf = `convert_from(decode(rpad(translate(split_part(wrapped, '.', 1), '-_', '+/'),
  4 * ceil(length(split_part(wrapped, '.', 1)) / 4.0)::int, '='), 'base64'), 'utf8')::jsonb ->> 'kid'`;

/**
 * Wraps every stored key under the first key of the ring, while the service runs. It may be cut off
 * and run again: it looks for what is left, and changes a row only if it is still as it was read.
 * Ends with a proof, under a lock that keeps writers out for one count, that no row is left under
 * another key. Throws when one is, because a process still wraps with it, and KeyWrapError when a row
 * does not open.
 */
export async function rewrapKeys(client: pg.ClientBase, keyWrap: KeyWrap): Promise<Rewrapped> {
  const rewrapped: Record<string, number> = {};
  for (const table of tables) rewrapped[table.name] = await rewrapTable(client, table, keyWrap);
  return { rewrapped, keys: await provenCount(client, keyWrap.wrappingKekId) };
}

async function rewrapTable(
  client: Queryable,
  { name, idColumn, idType, keyId }: WrappedTable,
  keyWrap: KeyWrap,
): Promise<number> {
  let count = 0;
  let after: string | null = null;
  for (;;) {
    const { rows } = await client.query({
      text: `select ${idColumn}::text as id, wrapped from ${name}
        where ($1::${idType} is null or ${idColumn} > $1) and ${kekIdOf} <> $2
        order by ${idColumn} limit ${pageRows}`,
      values: [after, keyWrap.wrappingKekId],
    });
    const last = rows.at(-1);
    if (last === undefined) return count;
    const old = rows as { id: string; wrapped: string }[];
    const anew = await Promise.all(
      old.map(async ({ id, wrapped }) =>
        keyWrap.wrap(keyId(id), await keyWrap.unwrap(keyId(id), wrapped)),
      ),
    );
    const { rowCount } = await client.query({
      text: `update ${name} as t set wrapped = n.anew
        from unnest($1::${idType}[], $2::text[], $3::text[]) as n (id, old, anew)
        where t.${idColumn} = n.id and t.wrapped = n.old`,
      values: [old.map(({ id }) => id), old.map(({ wrapped }) => wrapped), anew],
    });
    count += rowCount ?? 0;
    after = last.id as string;
  }
}

async function provenCount(client: Queryable, kekId: string): Promise<number> {
  const counts = tables.map(
    ({ name }) => `select ${kekIdOf} as kek, count(*)::int as keys from ${name} group by 1`,
  );
  await client.query({ text: 'begin' });
  try {
    await client.query({ text: "set local lock_timeout = '5s'; set local statement_timeout = 0" });
    const names = tables.map(({ name }) => name).join(', ');
    await client.query({ text: `lock table ${names} in share mode` });
    const { rows } = await client.query({
      text: `select kek, sum(keys)::int as keys from (${counts.join(' union all ')}) as c group by kek`,
    });
    const others = rows.filter(({ kek }) => kek !== kekId);
    if (others.length > 0) {
      const left = others.map(({ kek, keys }) => `${keys} under ${kek}`).join(', ');
      throw new Error(
        `Keys were wrapped under an older key meanwhile (${left}): give every process KEK with ` +
          `${kekId} in front, restart it, and run this again`,
      );
    }
    return (rows[0]?.keys as number | undefined) ?? 0;
  } finally {
    await client.query({ text: 'rollback' });
  }
}
