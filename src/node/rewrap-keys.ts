import type { Queryable } from '../eventlog/queryable.ts';
import type { KeyWrap } from '../platform/crypto/key-wrap.ts';
import { subjectKeyId } from '../platform/crypto/subject-cipher.ts';
import { sqlState } from '../platform/postgres/errors.ts';
import { totpKeyId } from '../tables/totp-secret.ts';

/** A table of wrapped keys, and under which key id each of its rows is wrapped. */
interface WrappedTable {
  readonly name: string;
  readonly idColumn: string;
  readonly idType: 'text' | 'uuid';
  readonly keyId: (id: string) => string;
}

/** First what every node needs: one that lacks the new key says so before a user meets it. */
const tables: readonly WrappedTable[] = [
  { name: 'latchkey.key_secrets', idColumn: 'kid', idType: 'text', keyId: (kid) => kid },
  { name: 'latchkey.session_key_secrets', idColumn: 'kid', idType: 'text', keyId: (kid) => kid },
  {
    name: 'latchkey.subject_keys',
    idColumn: 'subject_id',
    idType: 'uuid',
    keyId: subjectKeyId,
  },
  { name: 'latchkey.totp_secrets', idColumn: 'factor_id', idType: 'uuid', keyId: totpKeyId },
];

export interface Rewrapped {
  /** How many keys this run has wrapped anew. */
  readonly rewrapped: number;
  /** How many keys there are, all of them under the wrapping key now. */
  readonly keys: number;
}

interface Row {
  readonly id: string;
  readonly wrapped: string;
}

const pageRows = 500;
const passesMax = 5;
const failuresShown = 10;
const lockNotAvailable = '55P03';

/**
 * Wraps every stored key under the first key of the ring, while the service runs. It goes over all
 * keys in the order of their ids, again until a pass finds nothing to do, so it may be cut off and
 * run again; a key is changed only if it is still as it was read. Then it proves, under a lock that
 * keeps writers out for a moment, that nothing was written under another key since that pass began.
 * Throws when a process still wraps under another key, and when keys do not open, once all others
 * are done. `client`: one session, for the transaction of the proof.
 */
export async function rewrapKeys(client: Queryable, keyWrap: KeyWrap): Promise<Rewrapped> {
  let rewrapped = 0;
  for (let passes = 1; passes <= passesMax; passes += 1) {
    const since = await oldestOpenTransaction(client);
    const pass = { keys: 0, found: 0, rewrapped: 0, failures: [] as string[] };
    for (const table of tables) await goOver(client, table, keyWrap, pass);
    rewrapped += pass.rewrapped;
    if (pass.failures.length > 0) throw notOpened(pass.failures, rewrapped);
    if (pass.found > 0) continue;
    const written = await writtenSince(client, since);
    const others = written.filter((wrapped) => keyWrap.kekIdOf(wrapped) !== keyWrap.wrappingKekId);
    if (others.length > 0) throw stillWritten(others, keyWrap);
    return { rewrapped, keys: pass.keys };
  }
  throw stillWritten([], keyWrap);
}

interface Pass {
  keys: number;
  /** How many were under another key. */
  found: number;
  rewrapped: number;
  readonly failures: string[];
}

async function goOver(
  client: Queryable,
  table: WrappedTable,
  keyWrap: KeyWrap,
  pass: Pass,
): Promise<void> {
  const { name, idColumn, idType } = table;
  let after: string | null = null;
  do {
    const { rows } = await client.query({
      text: `select ${idColumn}::text as id, wrapped from ${name}
        where $1::${idType} is null or ${idColumn} > $1 order by ${idColumn} limit ${pageRows}`,
      values: [after],
    });
    const page = rows as unknown as Row[];
    const others = page.filter(({ wrapped }) => keyWrap.kekIdOf(wrapped) !== keyWrap.wrappingKekId);
    pass.keys += page.length;
    pass.found += others.length;
    if (others.length > 0) await rewrapRows(client, table, { keyWrap, rows: others, pass });
    after = page.length < pageRows ? null : page.at(-1)!.id;
  } while (after !== null);
}

async function rewrapRows(
  client: Queryable,
  { name, idColumn, idType, keyId }: WrappedTable,
  given: { readonly keyWrap: KeyWrap; readonly rows: readonly Row[]; readonly pass: Pass },
): Promise<void> {
  const { keyWrap, rows, pass } = given;
  const anew = await Promise.all(
    rows.map(async ({ id, wrapped }) => {
      try {
        const key = await keyWrap.unwrap(keyId(id), wrapped);
        return { id, wrapped, anew: await keyWrap.wrap(keyId(id), key) };
      } catch (error) {
        pass.failures.push((error as Error).message);
        return null;
      }
    }),
  );
  const opened = anew.filter((each) => each !== null);
  const { rowCount } = await client.query({
    text: `update ${name} as t set wrapped = n.anew
      from unnest($1::${idType}[], $2::text[], $3::text[]) as n (id, old, anew)
      where t.${idColumn} = n.id and t.wrapped = n.old`,
    values: [
      opened.map(({ id }) => id),
      opened.map(({ wrapped }) => wrapped),
      opened.map((each) => each.anew),
    ],
  });
  pass.rewrapped += rowCount ?? 0;
}

/** Every row of an earlier transaction is visible to the statements that follow. */
async function oldestOpenTransaction(client: Queryable): Promise<string> {
  const { rows } = await client.query({
    text: 'select pg_snapshot_xmin(pg_current_snapshot())::text as xmin',
  });
  return rows[0]!.xmin as string;
}

/** What was written by that transaction or a later one, with no writer at work. */
async function writtenSince(client: Queryable, xmin: string): Promise<string[]> {
  const names = tables.map(({ name }) => name);
  const written = names.map(
    (name) => `select wrapped from ${name} where age(xmin) <= age($1::xid8::xid)`,
  );
  await client.query({ text: 'begin' });
  try {
    await client.query({ text: "set local lock_timeout = '5s'" });
    await client.query({ text: `lock table ${names.join(', ')} in share mode` });
    const { rows } = await client.query({ text: written.join(' union all '), values: [xmin] });
    return rows.map(({ wrapped }) => wrapped as string);
  } catch (error) {
    if (sqlState(error) !== lockNotAvailable) throw error;
    const message =
      'Every key that was found is wrapped anew, but a transaction has kept the tables of keys ' +
      'for more than 5 s, so that nothing is proven: run this again';
    throw new Error(message, { cause: error });
  } finally {
    await client.query({ text: 'rollback' });
  }
}

function notOpened(failures: readonly string[], rewrapped: number): Error {
  const shown = failures.slice(0, failuresShown).join('; ');
  const more =
    failures.length > failuresShown ? `; and ${failures.length - failuresShown} more` : '';
  return new Error(
    `${failures.length} keys do not open, ${rewrapped} were wrapped anew: ${shown}${more}. ` +
      'Put the key that wrapped them behind the first one of KEK',
  );
}

function stillWritten(others: readonly string[], { kekIdOf, wrappingKekId }: KeyWrap): Error {
  const keks = [...new Set(others.map((wrapped) => kekIdOf(wrapped) ?? 'none'))].join(', ');
  const which = others.length === 0 ? '' : ` (${others.length} under ${keks})`;
  return new Error(
    `A process still wraps keys under an older key${which}: give every process KEK with ` +
      `${wrappingKekId} in front, restart it, and run this again`,
  );
}
