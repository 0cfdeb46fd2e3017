-- When the browser of a session first proved the key that it had registered (DBSC): until then the key binds nothing. No index
-- covers it: a refresh stays HOT.
-- Locks: sessions, for the moment of the statement.

alter table latchkey.sessions add column device_key_confirmed_at timestamptz;
select latchkey.compile_projections();
