-- A key pair of its own for each session that is signed so: the public part is in the session's row, the private part,
-- wrapped, beside the log. A client may say how the tokens of its sessions are signed.
-- Locks: sessions and clients, for the moment of a statement; sessions against writers while its index is made, which
-- reads the table once and finds no row to index.

alter table latchkey.sessions add column session_key jsonb;
-- By this index a key is found by its kid. A refresh writes the column back as it was, so its update stays HOT.
create unique index sessions_kid on latchkey.sessions ((session_key ->> 'kid')) where session_key is not null;

alter table latchkey.clients add column signing text;

-- The private part of each live session's key, under the key encryption key. A command that ends the session sends null
-- for it, and its row goes.
create table latchkey.session_key_secrets (
  kid text primary key,
  wrapped text
);

create function latchkey.drop_ended_session_keys(input jsonb, refused integer[]) returns void language plpgsql as $$
begin
  delete from latchkey.session_key_secrets s
  using jsonb_to_recordset(input) as r(c integer, kid text, wrapped text)
  where r.c <> all (refused) and r.wrapped is null and s.kid = r.kid;
end $$;

insert into latchkey.projected_tables (name, early, followed_by)
  values ('session_key_secrets', true, 'drop_ended_session_keys');
select latchkey.compile_projections();
