-- A second factor: an authenticator app and recovery codes. Which there is, and what was tried, stands in the user's row;
-- the secret of the app, wrapped, beside the log. A step-up counts a token in the session's row.
-- Locks: users and sessions, for the moment of a statement.

alter table latchkey.users add column totp jsonb;
alter table latchkey.users add column recovery_code_hashes text[];
alter table latchkey.users add column login_challenges jsonb;

alter table latchkey.sessions add column step_ups integer;

-- The secret of each factor, under the key encryption key. A command that drops a factor sends null for it, and its row
-- goes.
create table latchkey.totp_secrets (
  factor_id uuid primary key,
  wrapped text
);

create function latchkey.drop_removed_factors(input jsonb, refused integer[]) returns void language plpgsql as $$
begin
  delete from latchkey.totp_secrets s
  using jsonb_to_recordset(input) as r(c integer, factor_id uuid, wrapped text)
  where r.c <> all (refused) and r.wrapped is null and s.factor_id = r.factor_id;
end $$;

insert into latchkey.projected_tables (name, early, followed_by)
  values ('totp_secrets', true, 'drop_removed_factors');
select latchkey.compile_projections();
