-- The public key that a session's device has proved to hold (DPoP, DBSC), the grace window of a client's refresh tokens, and the
-- DPoP proofs that were used. A session is bound once, and no index covers its key: a refresh stays HOT.
-- Locks: sessions and clients, each for the moment of its statement.

alter table latchkey.sessions add column device_key jsonb;
alter table latchkey.clients add column refresh_grace_seconds integer;

-- Each proof that a login or a refresh was answered for, until it is too old to be accepted. It is written in the append of that
-- login or refresh, where a row that is there breaks the append: of two nodes that get one proof, one answers.
create table latchkey.dpop_proofs (
  -- SHA-256 of the key's thumbprint and the proof's jti.
  proof_hash text primary key,
  expires_at timestamptz not null
);
create index dpop_proofs_expiry on latchkey.dpop_proofs (expires_at);
insert into latchkey.projected_tables (name, early, write_once) values ('dpop_proofs', true, true);
select latchkey.compile_projections();
