-- The user name of somebody who was erased goes with the address.
-- Locks: none.

create or replace function latchkey.drop_erased_subjects(input jsonb, refused integer[]) returns void language plpgsql as $$
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
