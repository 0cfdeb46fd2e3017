import type pg from 'pg';

/** Bytes on disk. */
export interface TableParts {
  readonly all: number;
  readonly rows: number;
  readonly indexes: number;
  /** Maps of free space and of visibility, and what is too long for a row: 48 kB at least. */
  readonly rest: number;
}

export interface TableSize {
  readonly table: string;
  readonly rows: number;
  readonly bytes: TableParts;
  /** Of the same rows, written in the same order into a new table with the same indexes. */
  readonly fresh: TableParts;
  /** Rows that are gone and that no vacuum has cleared away. */
  readonly dead: number;
  /** Bytes that a vacuum has cleared away, for rows to come. */
  readonly free: number;
}

/**
 * How large each table is, indexes and dead rows included, and how large it would be if it had
 * never held another row than those of now. No vacuum runs for it but on the new table, which gets
 * its maps from it.
 */
export async function measureTables(
  owner: pg.Client,
  tables: readonly string[],
): Promise<TableSize[]> {
  const sizes: TableSize[] = [];
  await owner.query('create schema fresh; create extension pgstattuple schema fresh');
  for (const table of tables) {
    const { rows: options } = await owner.query(
      `select coalesce(array_to_string(array(select o from unnest(reloptions) o
        where o like 'fillfactor=%'), ', '), '') as options from pg_class where oid = $1::regclass`,
      [`latchkey.${table}`],
    );
    const { options: fillfactor } = options[0];
    await owner.query(`create table fresh.${table} (like latchkey.${table} including all)
      ${fillfactor === '' ? '' : `with (${fillfactor})`}`);
    await owner.query(`insert into fresh.${table} select * from latchkey.${table}`);
    await owner.query(`vacuum fresh.${table}`);
    const { rows } = await owner.query(
      `select tuple_count::float8 as rows, dead_tuple_count::float8 as dead,
        free_space::float8 as free from fresh.pgstattuple($1::regclass)`,
      [`latchkey.${table}`],
    );
    const bytes = await partsOf(owner, `latchkey.${table}`);
    sizes.push({ table, bytes, fresh: await partsOf(owner, `fresh.${table}`), ...rows[0] });
    await owner.query(`drop table fresh.${table}`);
  }
  await owner.query('drop extension pgstattuple; drop schema fresh');
  return sizes;
}

async function partsOf(owner: pg.Client, table: string): Promise<TableParts> {
  const { rows } = await owner.query(
    `select pg_total_relation_size($1)::float8 as all, pg_relation_size($1)::float8 as rows,
      pg_indexes_size($1)::float8 as indexes,
      (pg_table_size($1) - pg_relation_size($1))::float8 as rest`,
    [table],
  );
  return rows[0];
}

export interface Updates {
  readonly all: number;
  /** Heap-only: no index had to be touched. */
  readonly hot: number;
}

/** Of a table since the server was started; a backend tells its own at most a second late. */
export async function updatesOf(owner: pg.Client, table: string): Promise<Updates> {
  const { rows } = await owner.query(
    `select n_tup_upd::float8 as all, n_tup_hot_upd::float8 as hot from pg_stat_user_tables
      where schemaname = 'latchkey' and relname = $1`,
    [table],
  );
  return rows[0];
}
