-- What the nodes have counted together for their rate limits, with RATE_LIMIT_STORE=postgres. rate-limiter-flexible reads and
-- writes it: the columns are those of its statements. Unlogged: a count waits for no disk and no standby. A crash of Postgres
-- or a failover forgets all of them; then each node has what it counted itself.
-- Locks: none, everything is new.

create unlogged table latchkey.rate_limits (
  -- A keyed hash of who pays, and which window.
  key text collate "C" primary key,
  points integer not null,
  -- Epoch milliseconds. It does not change while a window is counted, so that counting stays HOT.
  expire bigint
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
create index rate_limits_expiry on latchkey.rate_limits (expire);
insert into latchkey.application_rights (table_name, rights) values ('rate_limits', 'select, insert, update, delete');
