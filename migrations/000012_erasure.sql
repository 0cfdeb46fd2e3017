-- The tombstone of a user who was erased, and the end of all that could tell who it was: in the transaction that writes the
-- tombstone, the subject key goes, and with it the personal data of every event.
-- Locks: users, for the moment of a statement, and against writers while the index is made, which reads the table once.

alter table latchkey.users add column erased_at timestamptz;
-- What a worker compares with the list that is kept outside the database.
create index users_erased on latchkey.users (user_id) where status = 'erased';

-- `input`: the rows of users that a batch writes. Private keys of sessions go when the session ends.
create function latchkey.drop_erased_subjects(input jsonb, refused integer[]) returns void language plpgsql as $$
declare
  erased uuid[];
begin
  -- Most batches erase nobody, and a statement costs more than this.
  if not jsonb_path_exists(input, '$[*] ? (@.status == "erased")') then
    return;
  end if;
  select array_agg(r.user_id order by r.user_id) into erased
  from jsonb_to_recordset(input) as r(c integer, user_id uuid, status text)
  where r.status = 'erased' and r.c <> all (refused);
  delete from latchkey.credentials where user_id = any (erased);
  delete from latchkey.usernames where user_id = any (erased);
  delete from latchkey.password_hashes where user_id = any (erased);
  delete from latchkey.device_tokens where user_id = any (erased);
  delete from latchkey.subject_keys where subject_id = any (erased);
end $$;

update latchkey.projected_tables set followed_by = 'drop_erased_subjects' where name = 'users';
select latchkey.compile_projections();
