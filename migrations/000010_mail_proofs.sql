-- Codes and links by mail: what is open stands in the user's row, no secret of it anywhere. A password hash goes when
-- the first proof of an address removes the password.
-- Locks: users and password_hashes, for the moment of a statement.

alter table latchkey.users add column mail_proofs jsonb;
alter table latchkey.users add column new_email_pii bytea;
-- Null stands for 0: the seal of a row covers each column that is not null.
alter table latchkey.users add column email_version integer;

alter table latchkey.password_hashes alter column hash drop not null;

-- A command that removes a password sends null for its hash, and the row goes.
create function latchkey.drop_removed_passwords(input jsonb, refused integer[]) returns void language plpgsql as $$
begin
  delete from latchkey.password_hashes p
  using jsonb_to_recordset(input) as r(c integer, user_id uuid, hash text)
  where r.c <> all (refused) and r.hash is null and p.user_id = r.user_id;
end $$;

update latchkey.projected_tables set followed_by = 'drop_removed_passwords' where name = 'password_hashes';
select latchkey.compile_projections();
