-- How `append` writes the read model: statements compiled from the registry (000002) and the catalogue, so that a column
-- stands in one place. They are as static as statements written by hand, and planned once per session.
-- Locks: none, everything is new. A later call locks nothing that an append waits for: it replaces two functions, and takes
-- the lock of a writer on the tables.

-- The columns that the service's rows carry, in the order of the table.
create function latchkey.projected_columns(projected latchkey.projected_tables)
returns table (name text, type text, is_key boolean, is_replaced boolean)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), a.attnum = any (coalesce(k.conkey, '{}')),
    a.attname = any (projected.replaces)
  from pg_attribute a left join pg_constraint k on k.conrelid = a.attrelid and k.contype = 'p'
  where a.attrelid = format('latchkey.%I', projected.name)::regclass and a.attnum > 0 and not a.attisdropped
    and a.attgenerated = '' and a.attname <> all (projected.local)
  order by a.attnum
$$;

-- The statements for one table. Rows go in by primary key: two batches then wait for each other in one order.
create function latchkey.projection_of(projected latchkey.projected_tables) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  unknown text;
  columns text;
  selected text;
  typed text;
  key text;
  key_order text;
  changes text;
  replaced text;
  matches text;
  written text;
begin
  select string_agg(n.name, ', ') into unknown from unnest(projected.local || projected.replaces) as n(name)
  where not exists (select from pg_attribute a
    where a.attrelid = format('latchkey.%I', projected.name)::regclass and a.attname = n.name and not a.attisdropped);
  if unknown is not null then
    raise exception 'latchkey.% has no column %', projected.name, unknown using errcode = '42703';
  end if;
  select string_agg(c.name, ', '), string_agg('r.' || c.name, ', '), string_agg(c.name || ' ' || c.type, ', '),
    string_agg(c.name, ', ') filter (where c.is_key), string_agg('r.' || c.name, ', ') filter (where c.is_key),
    string_agg(format('%1$s = excluded.%1$s', c.name), ', ') filter (where not c.is_key),
    string_agg(c.name || ' ' || c.type, ', ') filter (where c.is_replaced),
    string_agg(format('w.%1$s = r.%1$s', c.name), ' and ') filter (where c.is_replaced)
  into columns, selected, typed, key, key_order, changes, replaced, matches
  from latchkey.projected_columns(projected) c;
  if key is null then
    raise exception 'latchkey.% has no primary key to project its rows by', projected.name using errcode = '42P16';
  end if;
  written := format($sql$
    insert into latchkey.%I (%s)
    select %s
    from jsonb_to_recordset(rows -> %L) as r(c integer, %s)
    where r.c <> all (refused) order by %s$sql$, projected.name, columns, selected, projected.name, typed, key_order);
  if replaced is not null then
    written := format($sql$
    delete from latchkey.%1$I w using jsonb_to_recordset(rows -> %1$L) as r(c integer, %2$s)
    where r.c <> all (refused) and %3$s;%4$s
    on conflict do nothing;
    get diagnostics written = row_count;
    if written < (select count(*) from jsonb_to_recordset(rows -> %1$L) as r(c integer) where r.c <> all (refused)) then
      raise exception 'a row of another key stands in the way' using errcode = '23505', constraint = %5$L;
    end if;$sql$, projected.name, replaced, matches, written, (select k.conname from pg_constraint k
      where k.conrelid = format('latchkey.%I', projected.name)::regclass and k.contype = 'p'));
  elsif projected.write_once then
    written := written || ';';
  else
    written := format($sql$%s
    on conflict (%s) do %s;$sql$, written, key, coalesce('update set ' || changes, 'nothing'));
  end if;
  if projected.followed_by is not null then
    written := format($sql$%s
    perform latchkey.%I(rows -> %L, refused);$sql$, written, projected.followed_by, projected.name);
  end if;
  return format($sql$
  if rows ? %L then%s
  end if;$sql$, projected.name, written);
end $$;

-- Rows of a table that is not registered would be lost without an error, and with them what the command did.
create function latchkey.refusal_of_other_rows() returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($sql$
  if rows - %L::text[] <> '{}' then
    raise exception 'no table is registered for rows of %%', (select string_agg(name, ', ')
      from jsonb_object_keys(rows - %1$L::text[]) as name) using errcode = '42P01';
  end if;$sql$, 'revocations'::text || array_agg(t.name order by t.place))
  from latchkey.projected_tables t
$$;

-- The two functions that append calls, as they have to be now.
create function latchkey.projections() returns table (name text, body text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select f.name, format(E'\ndeclare\n  written integer;\nbegin%s%s\nend',
    case when f.early then latchkey.refusal_of_other_rows() end, (
    select string_agg(latchkey.projection_of(t), '' order by t.place)
    from latchkey.projected_tables t where t.early = f.early))
  from (values ('project_early', true), ('project_late', false)) as f(name, early)
$$;

-- Writes both functions anew. Every migration that changes a projected table or the registry ends with this call. Calls them
-- without a row, so that each statement is planned: what Postgres would refuse, the migration finds out, and not an append.
create function latchkey.compile_projections() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  projection record;
  no_rows jsonb := (select jsonb_object_agg(t.name, '[]'::jsonb) from latchkey.projected_tables t);
begin
  for projection in select * from latchkey.projections() loop
    execute format('create or replace function latchkey.%I(rows jsonb, refused integer[]) returns void
      language plpgsql as %L', projection.name, projection.body);
    execute format('select latchkey.%I($1, $2)', projection.name) using no_rows, '{}'::integer[];
  end loop;
end $$;
select latchkey.compile_projections();

-- What was changed and not compiled: tables, each with the columns that it has and its statement lacks, or the reverse.
-- Every migrate asks, and stops when something is named.
create function latchkey.uncompiled_projections() returns setof text
language sql stable set search_path = pg_catalog, pg_temp as $$
  with stale as (
    select p.name as function, coalesce(f.prosrc, '') as source
    from latchkey.projections() p left join pg_proc f on f.oid = to_regproc('latchkey.' || p.name)
    where f.prosrc is distinct from p.body),
  parts as (
    select s.function, t.place, t.name, string_to_array(
        split_part(split_part(s.source, format('insert into latchkey.%I (', t.name), 2), ')', 1), ', ') as compiled,
      array(select c.name from latchkey.projected_columns(t) c) as columns
    from stale s join latchkey.projected_tables t on t.early = (s.function = 'project_early')
    where position(latchkey.projection_of(t) in s.source) = 0)
  select concat_ws(': ', 'latchkey.' || p.name, (
    select string_agg(d.name, ', ') from (
      select name from unnest(p.columns) as name where name <> all (p.compiled)
      union all
      select name from unnest(p.compiled) as name where name <> all (p.columns)) as d))
  from (select * from parts order by place) as p
  union all
  select 'latchkey.' || s.function from stale s where not exists (select from parts p where p.function = s.function)
$$;

revoke execute on function latchkey.projected_columns(latchkey.projected_tables),
  latchkey.projection_of(latchkey.projected_tables), latchkey.refusal_of_other_rows(), latchkey.projections(),
  latchkey.compile_projections(), latchkey.uncompiled_projections() from public;

-- `e` is the number of the event, in the batch, whose position the entry takes.
create function latchkey.project_revocations(input jsonb, refused integer[], positions bigint[])
returns void language plpgsql as $$
begin
  insert into latchkey.revocations (pos, target_kind, target, epoch, until)
  select positions[r.e], r.target_kind, r.target, r.epoch, r.until
  from jsonb_to_recordset(input) as r(c integer, e integer, target_kind text, target text, epoch integer,
    until timestamptz)
  where r.c <> all (refused);
end $$;
