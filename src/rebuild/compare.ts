import type pg from 'pg';
import { safeInteger } from '../platform/postgres/safe-integer.ts';
import { streams } from '../tables/streams.ts';
import { keptRowsSql } from './prune.ts';

export const differencesMax = 100;

/**
 * `missing`: rebuilt, but not live. `extra`: live, but not rebuilt. Both without a column and
 * values.
 */
export interface Difference {
  readonly table: string;
  readonly key: string;
  readonly kind: 'changed' | 'missing' | 'extra';
  readonly column: string | null;
  /** As Postgres spells it; of secrets and personal data only the beginning of a SHA-256. */
  readonly live: string | null;
  readonly rebuilt: string | null;
}

/** `count` counts them all; at most `differencesMax` are named. */
export interface Comparison {
  readonly count: number;
  readonly differences: readonly Difference[];
}

interface ComparedTable {
  /** Columns that tell how the row came here, not what the log says. */
  readonly local?: readonly string[];
  readonly key: readonly string[];
  readonly confidential: readonly string[];
}

/** Every projection that can be made again from the log. */
const projections: ReadonlyMap<string, ComparedTable> = new Map<string, ComparedTable>([
  ...Object.values(streams).map(({ table: { name, key, confidential } }) => {
    return [name, { key: [key], confidential }] as const;
  }),
  ['credentials', { key: ['user_id'], confidential: ['identifier_mac'] }],
  ['usernames', { key: ['user_id'], confidential: ['identifier_mac'] }],
  ['revocations', { key: ['pos', 'target_kind', 'target'], confidential: [], local: ['xact'] }],
]);

export const projectedTables = [...projections.keys()];

/** A stream of version 0 exists only to be guarded: it has no events. */
const comparedStreams = {
  table: 'streams',
  key: ['stream_id'],
  confidential: [],
  live: '(select * from latchkey.streams where version > 0)',
  rebuilt: `(select stream_id, min(kind) as kind, min(subject_id::text)::uuid as subject_id,
    case when min(version) = 1 and max(version) = count(*) then count(*)::integer end as version,
    min(pos) as first_pos, max(pos) as last_pos, max(recorded_at) as last_recorded_at
    from latchkey.events group by stream_id)`,
  columns: ['kind', 'subject_id', 'version', 'first_pos', 'last_pos', 'last_recorded_at'],
};

/**
 * Compares every column of every row of the live projections with the tables of `schema` (a quoted
 * identifier), and `streams` with the log itself. Exact when `client` sees both in one snapshot, as
 * `rebuild` hands it out.
 */
export async function compare(client: pg.ClientBase, schema: string): Promise<Comparison> {
  const parts: Comparison[] = [];
  for (const table of projectedTables) {
    const { key, confidential, local = [] }: ComparedTable = projections.get(table)!;
    parts.push(
      await compareRelations(client, {
        table,
        key,
        confidential,
        live: keptRowsSql(table),
        rebuilt: `${schema}.${table}`,
        columns: await columnsBeside(client, table, [...key, ...local]),
      }),
    );
  }
  parts.push(await compareRelations(client, comparedStreams));
  return {
    count: parts.reduce((sum, { count }) => sum + count, 0),
    differences: parts.flatMap(({ differences }) => differences).slice(0, differencesMax),
  };
}

/** From the catalogue, so that a column added later is compared without anybody thinking of it. */
async function columnsBeside(
  client: pg.ClientBase,
  table: string,
  others: readonly string[],
): Promise<string[]> {
  const { rows } = await client.query(
    `select attname from pg_attribute
      where attrelid = ('latchkey.' || $1)::regclass and attnum > 0 and not attisdropped
      order by attnum`,
    [table],
  );
  return rows.map(({ attname }) => attname as string).filter((column) => !others.includes(column));
}

interface Relations extends ComparedTable {
  readonly table: string;
  readonly live: string;
  readonly rebuilt: string;
  readonly columns: readonly string[];
}

async function compareRelations(client: pg.ClientBase, relations: Relations): Promise<Comparison> {
  const { rows } = await client.query(comparisonSql(relations));
  return {
    count: rows[0] === undefined ? 0 : safeInteger(rows[0].count),
    differences: rows.map(({ count, ...difference }) => ({
      table: relations.table,
      ...difference,
    })),
  };
}

function comparisonSql({ key, columns, confidential, live, rebuilt }: Relations): string {
  const [first] = key;
  const differ = columns.map((column) => `l.${column} is distinct from r.${column}`).join(' or ');
  const shown = columns.map((column) => {
    const show = (alias: string) =>
      confidential.includes(column)
        ? `left(encode(sha256(convert_to(${alias}.${column}::text, 'UTF8')), 'hex'), 12)`
        : `${alias}.${column}::text`;
    return `('${column}', l.${column} is distinct from r.${column}, ${show('l')}, ${show('r')})`;
  });
  return `select concat_ws(' ', ${key.map((column) => `coalesce(l.${column}, r.${column})`).join(', ')}) as key,
      case when l.${first} is null then 'missing' when r.${first} is null then 'extra' else 'changed' end as kind,
      shown.name as column, shown.live, shown.rebuilt, count(*) over () as count
    from ${live} l full join ${rebuilt} r
      on ${key.map((column) => `l.${column} = r.${column}`).join(' and ')}
    cross join lateral (
      select * from (values ${shown.join(', ')}) as s(name, differs, live, rebuilt)
      where s.differs and l.${first} is not null and r.${first} is not null
      union all
      select null, true, null, null where l.${first} is null or r.${first} is null) shown
    where l.${first} is null or r.${first} is null${differ === '' ? '' : ` or ${differ}`}
    order by 1, 3 limit ${differencesMax}`;
}
