import type pg from 'pg';

export interface TableSize {
  readonly table: string;
  readonly rows: number;
  readonly bytes: number;
  /** Of the same rows, written in the same order into a new table with the same indexes. */
  readonly freshBytes: number;
}

/**
 * How large each table is, indexes and dead rows included, and how large it would be if it had
 * never
 * held another row than those of now. Nothing is vacuumed for it.
 */
export async function measureTables(
  owner: pg.Client,
  tables: readonly string[],
): Promise<TableSize[]> {
  const sizes: TableSize[] = [];
  await owner.query('create schema fresh');
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
    const { rows } = await owner.query(`select
      pg_total_relation_size('latchkey.${table}')::float8 as bytes,
      pg_total_relation_size('fresh.${table}')::float8 as fresh_bytes,
      (select count(*)::float8 from fresh.${table}) as rows`);
    const [{ bytes, fresh_bytes: freshBytes, rows: count }] = rows;
    sizes.push({ table, rows: count, bytes, freshBytes });
    await owner.query(`drop table fresh.${table}`);
  }
  await owner.query('drop schema fresh');
  return sizes;
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
