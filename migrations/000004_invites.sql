-- Invites: a stream kind of its own with its partition, and its read model, as 000002 and 000003 do it for the others.
-- Locks: SHARE UPDATE EXCLUSIVE on latchkey.events, so readers and appends go on.

select latchkey.add_stream_kind(5::smallint, 'invite');

create table latchkey.invites (
  invite_id uuid primary key,
  version integer not null,
  status text not null,
  secret_hash text not null,
  created_by text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  tries integer not null,
  used_at timestamptz,
  used_by uuid,
  mac text not null
) with (fillfactor = 80);

create function latchkey.project_invites(input jsonb, refused integer[]) returns void language plpgsql as $$
begin
  insert into latchkey.invites
  select r.invite_id, r.version, r.status, r.secret_hash, r.created_by, r.created_at, r.expires_at, r.tries,
    r.used_at, r.used_by, r.mac
  from jsonb_to_recordset(input) as r(c integer, invite_id uuid, version integer, status text, secret_hash text,
    created_by text, created_at timestamptz, expires_at timestamptz, tries integer, used_at timestamptz,
    used_by uuid, mac text)
  where r.c <> all (refused) order by r.invite_id
  on conflict (invite_id) do update set version = excluded.version, status = excluded.status,
    tries = excluded.tries, used_at = excluded.used_at, used_by = excluded.used_by, mac = excluded.mac;
end $$;
