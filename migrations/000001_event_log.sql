-- The event log: one sequence, one partitioned append-only table, one row per stream that alone enforces versions.
-- Locks: none, everything is new.

create schema if not exists latchkey;

-- The slot that an id of ours carries: the 12 bits of a UUID behind its version (src/domain/kernel/ids.ts).
create function latchkey.slot_of(id uuid) returns integer language sql immutable parallel safe as
  $$ select (get_byte(uuid_send(id), 6) & 15) << 8 | get_byte(uuid_send(id), 7) $$;

-- CACHE 1: a cached block would let a position become visible after a higher one was settled (see fence below).
create sequence latchkey.event_pos as bigint cache 1;

create table latchkey.log_meta (
  only_row boolean primary key default true check (only_row),
  -- Which log this is, for ever: each database has one of its own. A position names its log and the log's epoch.
  log_id uuid not null default gen_random_uuid(),
  log_epoch uuid not null default gen_random_uuid(),
  -- Where the log was written (latchkey.log_place): a copy of it stands elsewhere.
  system_identifier bigint not null,
  database_oid oid not null,
  events_oid oid not null,
  created_at timestamptz not null default clock_timestamp()
);

-- What a node knows to be missing from the log: it saw the event committed, and after a failover or a restore the event is
-- not there. Every node refuses the log until an operator has begun a new epoch. Written by nodes, never changed by them.
create table latchkey.log_doubts (
  log_epoch uuid not null,
  pos bigint not null,
  detail text not null,
  noticed_at timestamptz not null default clock_timestamp(),
  primary key (log_epoch, pos)
);

-- fillfactor: version, guard_v and last_pos change with every append; no index covers them, so each change is HOT.
create table latchkey.streams (
  stream_id uuid primary key,
  kind smallint not null,
  subject_id uuid,
  version integer not null,
  guard_v bigint not null default 0,
  first_pos bigint not null,
  last_pos bigint not null,
  last_recorded_at timestamptz not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_analyze_scale_factor = 0.05);
create index streams_subject on latchkey.streams (subject_id) where subject_id is not null;

create table latchkey.events (
  pos bigint not null default nextval('latchkey.event_pos'),
  kind smallint not null,
  stream_id uuid not null,
  version integer not null,
  type text not null,
  schema_v smallint not null,
  data jsonb not null,
  pii bytea,
  subject_id uuid,
  meta jsonb not null,
  recorded_at timestamptz not null,
  primary key (pos, kind)
) partition by list (kind);
create index events_stream on latchkey.events (stream_id, version);

-- Neither pg_dump nor a copy of the database keeps these; pg_upgrade keeps all but the system identifier.
create function latchkey.log_place(out system_identifier bigint, out database_oid oid, out events_oid oid)
language sql stable as $$
  select c.system_identifier, d.oid, 'latchkey.events'::regclass::oid
  from pg_control_system() c, pg_database d where d.datname = current_database()
$$;

-- Says that the log belongs where it stands now. For the owner, who knows that it is whole or has begun a new epoch.
create function latchkey.settle_log_here() returns void language sql volatile as $$
  update latchkey.log_meta m set system_identifier = p.system_identifier, database_oid = p.database_oid,
    events_oid = p.events_oid from latchkey.log_place() p
$$;
insert into latchkey.log_meta (system_identifier, database_oid, events_oid)
  select system_identifier, database_oid, events_oid from latchkey.log_place();

-- The ranges of the session partitions, so that nobody has to parse partition bounds.
create table latchkey.session_partitions (
  from_pos bigint primary key,
  to_pos bigint not null unique check (to_pos > from_pos),
  table_name text not null unique
);

create table latchkey.checkpoints (
  consumer text not null,
  log_id uuid not null,
  log_epoch uuid not null,
  pos bigint not null,
  updated_at timestamptz not null,
  -- Where a consumer stands that does not go by position alone.
  state jsonb,
  primary key (consumer, log_id)
) with (fillfactor = 50);

-- The fence. Every append holds this lock, shared and to the end of its transaction, before it draws a position.
-- A tail that reads the sequence, then the holders, and waits until those holders are gone has seen every commit.
create function latchkey.hold_fence() returns void language sql volatile as
  $$ select pg_advisory_xact_lock_shared(1279350347, 1) $$;

-- Assigned instead of performed: an expression costs a tenth of a statement.
create function latchkey.hold_fence_before_insert() returns trigger language plpgsql as $$
declare
  held text;
begin
  held := pg_advisory_xact_lock_shared(1279350347, 1);
  return null;
end $$;

create function latchkey.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the event log is append-only: % on % refused', tg_op, tg_table_name using errcode = 'LK001';
end $$;

-- Row triggers are cloned to every partition, attached ones included; statement and TRUNCATE triggers are not.
create trigger refuse_change before update or delete on latchkey.events
  for each row execute function latchkey.refuse_change();

create function latchkey.guard_partition(partition regclass) returns void language plpgsql as $$
begin
  execute format('create trigger hold_fence before insert on %s for each statement
    execute function latchkey.hold_fence_before_insert()', partition);
  execute format('create trigger refuse_truncate before truncate on %s for each statement
    execute function latchkey.refuse_change()', partition);
end $$;

select latchkey.guard_partition('latchkey.events');

-- Gives a stream kind its partition while readers and appends go on: standalone first, then ATTACH, which takes only SHARE
-- UPDATE EXCLUSIVE on the parent. A later migration adds its kind with this call. `ranged` is for a kind whose partition is
-- itself partitioned, by position.
create function latchkey.add_stream_kind(kind integer, name text, ranged boolean default false) returns void
language plpgsql as $$
declare
  partition text := 'events_' || name;
begin
  execute format('create table latchkey.%I (like latchkey.events including defaults including constraints)%s',
    partition, case when ranged then ' partition by range (pos)' end);
  execute format('alter table latchkey.%I add primary key (pos, kind)', partition);
  execute format('create index on latchkey.%I (stream_id, version)', partition);
  execute format('alter table latchkey.%I add constraint %I check (kind = %s)', partition, partition || '_kind', kind);
  perform latchkey.guard_partition(format('latchkey.%I', partition)::regclass);
  execute format('alter table latchkey.events attach partition latchkey.%I for values in (%s)', partition, kind);
  execute format('alter table latchkey.%I drop constraint %I', partition, partition || '_kind');
end $$;
revoke execute on function latchkey.add_stream_kind(integer, text, boolean) from public;

select latchkey.add_stream_kind(1, 'user');
select latchkey.add_stream_kind(2, 'session', ranged => true);
select latchkey.add_stream_kind(3, 'client');
select latchkey.add_stream_kind(4, 'keyset');
select latchkey.add_stream_kind(5, 'invite');

-- Creates session partitions until `ahead` whole ones lie beyond the head of the log; returns how many there are.
-- Standalone first, then ATTACH, which takes only SHARE UPDATE EXCLUSIVE on the parent: appends go on meanwhile.
create function latchkey.ensure_session_partitions(ahead integer default 3, width bigint default 20000000)
returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '500ms' as $$
declare
  head bigint;
  top bigint;
  name text;
begin
  if ahead < 1 or ahead > 100 or width < 1 then
    raise exception 'ahead must be 1 to 100 and width positive' using errcode = '22023';
  end if;
  perform pg_advisory_xact_lock(1279350347, 2);
  select last_value into head from latchkey.event_pos;
  select coalesce(max(to_pos), 0) into top from latchkey.session_partitions;
  while (select count(*) from latchkey.session_partitions where from_pos > head) < ahead loop
    name := 'events_session_' || lpad(top::text, 12, '0');
    execute format('create table latchkey.%I (like latchkey.events including defaults including constraints)', name);
    execute format('alter table latchkey.%I add primary key (pos, kind)', name);
    execute format('create index on latchkey.%I (stream_id, version)', name);
    execute format('alter table latchkey.%I set (autovacuum_vacuum_insert_scale_factor = 0.02)', name);
    execute format('alter table latchkey.%I add constraint %I check (kind = 2 and pos >= %s and pos < %s)',
      name, name || '_range', top, top + width);
    perform latchkey.guard_partition(format('latchkey.%I', name)::regclass);
    execute format('alter table latchkey.events_session attach partition latchkey.%I for values from (%s) to (%s)',
      name, top, top + width);
    -- The check spared ATTACH a scan; kept, it would be parsed again by every append.
    execute format('alter table latchkey.%I drop constraint %I', name, name || '_range');
    insert into latchkey.session_partitions (from_pos, to_pos, table_name) values (top, top + width, name);
    top := top + width;
  end loop;
  return (select count(*) from latchkey.session_partitions where from_pos > head);
end $$;
select latchkey.ensure_session_partitions();
revoke execute on function latchkey.ensure_session_partitions(integer, bigint) from public;

-- A stream without events that role changes guard, so that two administrators cannot demote each other at once.
insert into latchkey.streams (stream_id, kind, version, first_pos, last_pos, last_recorded_at)
  values ('00000000-0000-8000-8000-000000000001', 0, 0, 0, 0, 'epoch');
