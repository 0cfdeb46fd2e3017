-- What an administrator has said that stands in the access tokens of a client besides.
-- Locks: clients, for the moment of the statement.

alter table latchkey.clients add column claims jsonb;
select latchkey.compile_projections();
