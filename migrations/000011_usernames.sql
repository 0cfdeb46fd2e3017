-- User names beside addresses. Lookup by name as in latchkey.credentials: a keyed HMAC that exists only here. A user has at
-- most one name, and a new one replaces it.
-- Locks: none, everything is new.

create table latchkey.usernames (
  identifier_mac bytea primary key,
  user_id uuid not null unique,
  mac text not null
);
insert into latchkey.projected_tables (name, early, replaces) values ('usernames', true, '{user_id}');
select latchkey.compile_projections();
