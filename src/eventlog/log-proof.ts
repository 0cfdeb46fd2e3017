import { safeInteger } from '../platform/postgres/safe-integer.ts';
import { highestPositionSql } from './highest-position.ts';
import { LogIdentityError } from './log-identity.ts';
import type { Queryable } from './queryable.ts';

/** What a log holds, comparable between servers of any version: nothing in it is secret. */
export interface LogProof {
  readonly format: 1;
  readonly log_id: string;
  readonly log_epoch: string;
  /** The last position drawn. */
  readonly head: number;
  readonly tables: { readonly [table: string]: { readonly rows: number; readonly digest: string } };
}

const sameText = `set local "TimeZone" = 'UTC'; set local "DateStyle" = 'ISO, MDY';
  set local "IntervalStyle" = 'postgres'; set local bytea_output = 'hex'`;

/**
 * Counts and digests every row of every table, so that a log that was moved (pg_upgrade, a dump)
 * can be proven to be whole. `client`: one connection, as the owner. Takes about ten seconds a
 * million events.
 */
export async function proveLog(client: Queryable): Promise<LogProof> {
  await client.query({ text: 'begin isolation level repeatable read read only' });
  try {
    await client.query({ text: sameText });
    return await readProof(client);
  } finally {
    await client.query({ text: 'rollback' });
  }
}

/** The parts in which two proofs differ, by name. */
function differences(given: LogProof, found: LogProof): string[] {
  const names = new Set([...Object.keys(given.tables), ...Object.keys(found.tables)]);
  const differing = [...names].filter((name) => {
    const [one, other] = [given.tables[name], found.tables[name]];
    return one?.rows !== other?.rows || one?.digest !== other?.digest;
  });
  return [
    ...(given.log_id === found.log_id ? [] : ['log_id']),
    ...(given.log_epoch === found.log_epoch ? [] : ['log_epoch']),
    ...(given.head === found.head ? [] : ['head']),
    ...differing.sort(),
  ];
}

/**
 * Says that the log belongs where it stands now, if it is exactly the one that `given` describes.
 * Throws LogIdentityError, naming what differs.
 */
export async function adoptLog(client: Queryable, given: LogProof): Promise<void> {
  const differing = differences(given, await proveLog(client));
  if (differing.length > 0) {
    throw new LogIdentityError(
      `This is not the log of the proof: ${differing.join(', ')} differ. If something was written ` +
        'after the proof was made, stop every process, make it again and move the log again.',
    );
  }
  await client.query({ text: 'select latchkey.settle_log_here()' });
}

async function readProof(client: Queryable): Promise<LogProof> {
  const { rows } = await client.query({
    text: `select m.log_id, m.log_epoch, ${highestPositionSql} as head
      from latchkey.log_meta m`,
  });
  const { rows: names } = await client.query({
    text: `select relname as name from pg_class where relnamespace = 'latchkey'::regnamespace
      and relkind in ('r', 'p') and not relispartition and relname <> 'log_meta'
      and relpersistence = 'p' order by relname`,
  });
  const tables: Record<string, { rows: number; digest: string }> = {};
  for (const { name } of names as { name: string }[]) {
    const { rows: digests } = await client.query({
      text: `select count(*) as rows, coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint
        ::numeric), 0)::text as digest from latchkey.${name} t`,
    });
    tables[name] = { rows: safeInteger(digests[0]!.rows), digest: digests[0]!.digest as string };
  }
  const { log_id, log_epoch, head } = rows[0]!;
  return {
    format: 1,
    log_id: log_id as string,
    log_epoch: log_epoch as string,
    head: safeInteger(head),
    tables,
  };
}
