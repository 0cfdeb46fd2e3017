-- What the role of the service may do: what is written here, and to write the tables of the registry (000002). Nothing else.
-- Locks: none, everything is new.

-- A later migration adds a row for a table that is no projection.
create table latchkey.application_rights (
  table_name text primary key,
  rights text not null check (rights ~ '^(select|insert|update|delete)(, (select|insert|update|delete))*$')
);
insert into latchkey.application_rights (table_name, rights) values
  ('events', 'select, insert'),
  ('streams', 'select, insert, update'),
  ('log_meta', 'select'),
  ('session_partitions', 'select'),
  ('schema_migrations', 'select'),
  ('log_doubts', 'select, insert'),
  ('revocations', 'select, insert, update, delete'),
  ('projection_watermarks', 'select, insert, update, delete'),
  ('checkpoints', 'select, insert, update, delete'),
  ('access_token_lifetimes', 'select, insert, update, delete');

-- Called by every migrate, after the last migration.
create function latchkey.grant_application(role_name text) returns void language plpgsql as $$
declare
  granted record;
begin
  execute format('grant usage on schema latchkey to %I', role_name);
  for granted in
    select a.table_name, a.rights from latchkey.application_rights a
    union all
    select p.name, 'select, insert, update, delete' from latchkey.projected_tables p
  loop
    execute format('grant %s on latchkey.%I to %I', granted.rights, granted.table_name, role_name);
  end loop;
  execute format('grant select, usage on sequence latchkey.event_pos to %I', role_name);
  execute format('grant execute on function latchkey.ensure_session_partitions(integer, bigint) to %I', role_name);
  execute format('grant execute on function latchkey.probe_append(boolean) to %I', role_name);
end $$;
