-- Inline read models: each row is the folded state of its stream plus its version, written in the append's transaction.
-- Personal data is the log's ciphertext, copied. A refresh changes no indexed column, so its update stays HOT.
-- `mac` is the service's seal on rows that give authority, under a key that the database does not hold.
-- Locks: none, everything is new.

create table latchkey.users (
  user_id uuid primary key,
  version integer not null,
  status text not null,
  registered_at timestamptz not null,
  email_verified boolean not null,
  has_password boolean not null,
  roles text[] not null,
  epoch integer not null,
  failed_checks integer not null,
  lock_count integer not null,
  locked_until timestamptz,
  last_failure_at timestamptz,
  devices jsonb not null,
  password_changed_at timestamptz,
  pii bytea,
  mac text not null
) with (fillfactor = 80);
create index users_registered on latchkey.users (registered_at desc, user_id desc);
-- All that belongs to a slot hangs on its users: by this index a slot is moved to another database.
create index users_slot on latchkey.users (latchkey.slot_of(user_id));
create index users_admins on latchkey.users (user_id) where 'latchkey:admin' = any (roles);

create table latchkey.sessions (
  session_id uuid primary key,
  version integer not null,
  status text not null,
  user_id uuid not null,
  client_id uuid,
  device_type text not null,
  amr text[] not null,
  audience text[] not null,
  scope text not null,
  transport text not null,
  started_at timestamptz not null,
  refreshed_at timestamptz not null,
  expires_at timestamptz not null,
  generation integer not null,
  secret_hash text,
  parent_hash text,
  salt text,
  idempotency_key_hash text,
  access_expires_at timestamptz not null,
  tokens_from_generation integer not null,
  tokens_mark_generation integer not null,
  tokens_mark_until timestamptz not null,
  ended_at timestamptz,
  end_reason text,
  pii bytea,
  end_pii bytea,
  mac text not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
create index sessions_live on latchkey.sessions (user_id, started_at) where status = 'live';
create index sessions_expiry on latchkey.sessions (expires_at, session_id) where status = 'live';
create index sessions_ended on latchkey.sessions (ended_at, session_id) where status = 'ended';

create table latchkey.clients (
  client_id uuid primary key,
  version integer not null,
  status text not null,
  name text not null,
  kind text not null,
  audiences text[] not null,
  scopes text[] not null,
  first_party boolean not null,
  secret_hashes text[] not null,
  epoch integer not null,
  registered_at timestamptz not null,
  mac text not null
);

create table latchkey.keysets (
  keyset_id uuid primary key,
  version integer not null,
  keys jsonb not null,
  mac text not null
) with (fillfactor = 50);

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

-- Lookup by e-mail: a keyed HMAC that exists only here, never in the log (it would confirm an erased address for ever).
create table latchkey.credentials (
  identifier_mac bytea primary key,
  user_id uuid not null unique,
  mac text not null
);

-- What every verifier must know. `target` is a session id, user id (of `user` and `roles`), client id, kid or keyset
-- id; `epoch` counts for users and clients; a keyset or client entry also says: read it again. An entry may go once `until` has passed.
create table latchkey.revocations (
  pos bigint not null,
  target_kind text not null,
  target text not null,
  epoch integer,
  until timestamptz not null,
  -- Who has seen a snapshot finds what was committed since by it, in any order and beside any open append.
  xact xid8 not null default pg_current_xact_id(),
  primary key (pos, target_kind, target)
);
create index revocations_xact on latchkey.revocations (xact, pos);
create index revocations_until on latchkey.revocations (until, pos);

-- Up to where a projection was pruned: rebuild applies the same predicate with the same instant.
create table latchkey.projection_watermarks (
  projection text primary key,
  at timestamptz not null,
  pos bigint not null
);

-- The lives of access tokens that nodes were configured for: how long a revocation of a user must be kept.
create table latchkey.access_token_lifetimes (
  ttl_seconds integer primary key,
  noted_at timestamptz not null
);

-- Secrets live beside the log, never in it, so that they can be deleted. Keys are wrapped by the key encryption key.
create table latchkey.password_hashes (
  user_id uuid primary key,
  hash text not null,
  mac text not null
) with (fillfactor = 90);
-- Devices that have logged in before. A token of an earlier epoch than the user's (column devices) is worth nothing.
create table latchkey.device_tokens (
  user_id uuid not null,
  device_id uuid not null,
  secret_hash text not null,
  epoch integer not null,
  created_at timestamptz not null,
  used_at timestamptz,
  primary key (user_id, device_id)
) with (fillfactor = 90);
-- A user keeps the newest ten device tokens that were shown at least once and the newest ten that never were, so that a
-- client which forgets its tokens does not push the others out.
create function latchkey.trim_device_tokens(input jsonb, refused integer[]) returns void language plpgsql as $$
begin
  delete from latchkey.device_tokens d
  using (
    select t.user_id, t.device_id,
      row_number() over (
        partition by t.user_id, t.used_at is null order by coalesce(t.used_at, t.created_at) desc, t.device_id
      ) as place,
      t.epoch < max(t.epoch) over (partition by t.user_id) as outdated
    from latchkey.device_tokens t
    where t.user_id in (
      select r.user_id from jsonb_to_recordset(input) as r(c integer, user_id uuid) where r.c <> all (refused))
  ) as ranked
  where d.user_id = ranked.user_id and d.device_id = ranked.device_id and (ranked.place > 10 or ranked.outdated);
end $$;

create table latchkey.key_secrets (
  kid text primary key,
  purpose text not null,
  wrapped text not null,
  created_at timestamptz not null default clock_timestamp()
);
create table latchkey.subject_keys (
  subject_id uuid primary key,
  wrapped text not null
);

-- Every table that `append` writes from the list of its name in `rows`. compile_projections() makes the statements from this
-- and from the catalogue: a list is written to all columns of its table but the local ones, by primary key. A later
-- migration adds a row here. `place`: the order in which a batch writes its tables.
create table latchkey.projected_tables (
  place integer generated always as identity,
  name text primary key,
  -- Before the event log: what may break a unique key, so that a batch that fails has cost little.
  early boolean not null default false,
  -- A row that is there already raises the unique violation, instead of taking the new values.
  write_once boolean not null default false,
  -- A row replaces those with the same values here. One that is in the way of another raises a unique violation that
  -- names no value, since Postgres' own would show it in its DETAIL, and so in the server's log.
  replaces text[] not null default '{}',
  -- Columns that the rows of the service do not carry: their default stands. Any other would be set to null.
  local text[] not null default '{}',
  -- A function that is called with the list and the refused commands once the rows are written.
  followed_by text,
  check (not (write_once and replaces <> '{}'))
);

insert into latchkey.projected_tables (name, early, write_once, replaces, local, followed_by) values
  -- A second user with the same address is refused; a user's own new address replaces the old one.
  ('credentials', true, false, '{user_id}', '{}', null),
  ('password_hashes', true, false, '{}', '{}', null),
  ('device_tokens', true, false, '{}', '{}', 'trim_device_tokens'),
  ('subject_keys', true, true, '{}', '{}', null),
  ('key_secrets', true, true, '{}', '{created_at}', null);
insert into latchkey.projected_tables (name) values
  ('sessions'), ('users'), ('clients'), ('keysets'), ('invites');
