-- The one way into the log: a batch of commands in one call, one transaction, one commit.
-- Locks: none at migration time.

create function latchkey.project_users(input jsonb, refused integer[]) returns void language plpgsql as $$
begin
  insert into latchkey.users
  select r.user_id, r.version, r.status, r.registered_at, r.email_verified, r.has_password, r.roles, r.epoch,
    r.failed_checks, r.lock_count, r.locked_until, r.last_failure_at, r.devices,
    r.password_changed_at, r.pii, r.mac
  from jsonb_to_recordset(input) as r(c integer, user_id uuid, version integer, status text, registered_at timestamptz,
    email_verified boolean, has_password boolean, roles text[], epoch integer, failed_checks integer,
    lock_count integer, locked_until timestamptz, last_failure_at timestamptz, devices jsonb,
    password_changed_at timestamptz, pii bytea, mac text)
  where r.c <> all (refused) order by r.user_id
  on conflict (user_id) do update set version = excluded.version, status = excluded.status,
    registered_at = excluded.registered_at, email_verified = excluded.email_verified,
    has_password = excluded.has_password, roles = excluded.roles, epoch = excluded.epoch,
    failed_checks = excluded.failed_checks, lock_count = excluded.lock_count, locked_until = excluded.locked_until,
    last_failure_at = excluded.last_failure_at, devices = excluded.devices,
    password_changed_at = excluded.password_changed_at, pii = excluded.pii, mac = excluded.mac;
end $$;

create function latchkey.project_sessions(input jsonb, refused integer[]) returns void language plpgsql as $$
begin
  insert into latchkey.sessions
  select r.session_id, r.version, r.status, r.user_id, r.client_id, r.device_type, r.amr, r.audience, r.scope,
    r.transport, r.started_at, r.refreshed_at, r.expires_at, r.generation, r.secret_hash, r.parent_hash, r.salt,
    r.idempotency_key_hash, r.access_expires_at, r.tokens_from_generation, r.tokens_mark_generation,
    r.tokens_mark_until, r.ended_at, r.end_reason, r.pii, r.end_pii, r.mac
  from jsonb_to_recordset(input) as r(c integer, session_id uuid, version integer, status text, user_id uuid,
    client_id uuid, device_type text, amr text[], audience text[], scope text, transport text,
    started_at timestamptz, refreshed_at timestamptz, expires_at timestamptz, generation integer, secret_hash text,
    parent_hash text, salt text, idempotency_key_hash text, access_expires_at timestamptz,
    tokens_from_generation integer, tokens_mark_generation integer, tokens_mark_until timestamptz,
    ended_at timestamptz, end_reason text, pii bytea, end_pii bytea, mac text)
  where r.c <> all (refused) order by r.session_id
  on conflict (session_id) do update set version = excluded.version, status = excluded.status,
    refreshed_at = excluded.refreshed_at, generation = excluded.generation, secret_hash = excluded.secret_hash,
    parent_hash = excluded.parent_hash, salt = excluded.salt, idempotency_key_hash = excluded.idempotency_key_hash,
    access_expires_at = excluded.access_expires_at, tokens_from_generation = excluded.tokens_from_generation,
    tokens_mark_generation = excluded.tokens_mark_generation, tokens_mark_until = excluded.tokens_mark_until,
    ended_at = excluded.ended_at, end_reason = excluded.end_reason, pii = excluded.pii, end_pii = excluded.end_pii,
    mac = excluded.mac;
end $$;

create function latchkey.project_clients(input jsonb, refused integer[]) returns void language plpgsql as $$
begin
  insert into latchkey.clients
  select r.client_id, r.version, r.status, r.name, r.kind, r.audiences, r.scopes, r.first_party, r.secret_hashes, r.epoch,
    r.registered_at, r.mac
  from jsonb_to_recordset(input) as r(c integer, client_id uuid, version integer, status text, name text, kind text,
    audiences text[], scopes text[], first_party boolean, secret_hashes text[], epoch integer,
    registered_at timestamptz, mac text)
  where r.c <> all (refused) order by r.client_id
  on conflict (client_id) do update set version = excluded.version, status = excluded.status,
    secret_hashes = excluded.secret_hashes, epoch = excluded.epoch, mac = excluded.mac;
end $$;

create function latchkey.project_keysets(input jsonb, refused integer[]) returns void language plpgsql as $$
begin
  insert into latchkey.keysets
  select r.keyset_id, r.version, r.keys, r.mac
  from jsonb_to_recordset(input) as r(c integer, keyset_id uuid, version integer, keys jsonb, mac text)
  where r.c <> all (refused) order by r.keyset_id
  on conflict (keyset_id) do update set version = excluded.version, keys = excluded.keys, mac = excluded.mac;
end $$;

-- A second user with the same address breaks credentials_pkey: that command is refused, the batch goes on without it.
-- A unique violation of Postgres' own would name the MAC of the address in its DETAIL, and so in the server's log.
create function latchkey.project_credentials(input jsonb, refused integer[]) returns void language plpgsql as $$
declare
  wanted integer;
  written integer;
begin
  delete from latchkey.credentials c using jsonb_to_recordset(input) as r(c integer, user_id uuid)
  where r.c <> all (refused) and c.user_id = r.user_id;
  select count(*) into wanted from jsonb_to_recordset(input) as r(c integer) where r.c <> all (refused);
  insert into latchkey.credentials
  select r.identifier_mac, r.user_id, r.mac
  from jsonb_to_recordset(input) as r(c integer, identifier_mac bytea, user_id uuid, mac text)
  where r.c <> all (refused) order by r.identifier_mac
  on conflict do nothing;
  get diagnostics written = row_count;
  if written < wanted then
    raise exception 'the address is taken' using errcode = '23505', constraint = 'credentials_pkey';
  end if;
end $$;

-- `e` is the number of the event, in the batch, whose position the entry takes.
create function latchkey.project_revocations(input jsonb, refused integer[], positions bigint[])
returns void language plpgsql as $$
begin
  insert into latchkey.revocations (pos, target_kind, target, epoch, until)
  select positions[r.e], r.target_kind, r.target, r.epoch, r.until
  from jsonb_to_recordset(input) as r(c integer, e integer, target_kind text, target text, epoch integer,
    until timestamptz)
  where r.c <> all (refused);
end $$;

-- A login that showed a token sets used_at, another one adds a token. A user keeps the newest ten that were shown at least
-- once and the newest ten that never were, so that a client which forgets its tokens does not push the others out.
create function latchkey.store_device_tokens(input jsonb, refused integer[]) returns void language plpgsql as $$
begin
  insert into latchkey.device_tokens
  select r.user_id, r.device_id, r.secret_hash, r.epoch, r.created_at, r.used_at
  from jsonb_to_recordset(input) as r(c integer, user_id uuid, device_id uuid, secret_hash text, epoch integer,
    created_at timestamptz, used_at timestamptz)
  where r.c <> all (refused) order by r.user_id, r.device_id
  on conflict (user_id, device_id) do update set used_at = excluded.used_at;
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

create function latchkey.store_secrets(input jsonb, refused integer[]) returns void language plpgsql as $$
begin
  if input ? 'password_hashes' then
    insert into latchkey.password_hashes
    select r.user_id, r.hash, r.mac
    from jsonb_to_recordset(input -> 'password_hashes') as r(c integer, user_id uuid, hash text, mac text)
    where r.c <> all (refused) order by r.user_id
    on conflict (user_id) do update set hash = excluded.hash, mac = excluded.mac;
  end if;
  if input ? 'device_tokens' then perform latchkey.store_device_tokens(input -> 'device_tokens', refused); end if;
  if input ? 'subject_keys' then
    insert into latchkey.subject_keys
    select r.subject_id, r.wrapped
    from jsonb_to_recordset(input -> 'subject_keys') as r(c integer, subject_id uuid, wrapped text)
    where r.c <> all (refused) order by r.subject_id;
  end if;
  if input ? 'key_secrets' then
    insert into latchkey.key_secrets
    select r.kid, r.purpose, r.wrapped
    from jsonb_to_recordset(input -> 'key_secrets') as r(c integer, kid text, purpose text, wrapped text)
    where r.c <> all (refused) order by r.kid;
  end if;
end $$;

-- touched_*: one element per stream of the batch, in the order of the stream ids; no two commands share a stream.
--   expected: >= 1 that version, 0 none, -1 exists, -2 any; guard: the expected guard or null; bump: raise the guard.
-- event_*: one element per event; event_touched is the number of its stream in touched_*.
-- rows: {table: [{c: command, ...}]}, what the projections become when the command is accepted.
-- patient: wait up to 50 ms for held streams instead of leaving them out as 'busy'.
-- Answers, per touched stream: appended, conflict (with the actual version and guard), busy, or refused (a sibling of
-- the same command was not appended), and the position of its last event.
-- Procedural where it counts: a statement costs 25 to 50 us to start, an array element less than one.
-- Plans are made once and must not depend on how small the tables were then, hence the two planner settings.
create function latchkey.append(
  touched_command integer[], touched_stream uuid[], touched_kind smallint[], touched_subject uuid[],
  touched_expected integer[], touched_guard bigint[], touched_bump boolean[],
  event_touched integer[], event_type text[], event_schema smallint[], event_data jsonb[], event_pii bytea[],
  event_meta jsonb[], rows jsonb, patient boolean default false,
  out outcomes text[], out versions integer[], out guards bigint[], out last_positions bigint[])
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  fence text;
  held record;
  i integer;
  k integer;
  touched integer := cardinality(touched_stream);
  refused integer[] := '{}';
  unlocked uuid[] := '{}';
  fresh boolean[];
  has_events boolean[];
  fresh_count integer := 0;
  known_count integer := 0;
  event_count integer[];
  first_positions bigint[];
  event_pos bigint[];
  event_version integer[];
  recorded_floor timestamptz[];
  drawn_at timestamptz;
  affected integer;
begin
  -- A statement of its own, before any nextval: in a CTE it might not run, in the INSERT it would run too late.
  fence := pg_advisory_xact_lock_shared(1279350347, 1);
  -- Whatever the database or the role was given: what is answered is durable, on the standby too.
  if current_setting('synchronous_commit') in ('off', 'local') then
    fence := set_config('synchronous_commit', 'on', true);
  end if;

  if patient then
    -- Well under deadlock_timeout: two patient batches can make each other wait, never deadlock.
    perform set_config('lock_timeout', '50ms', true);
    begin
      perform 1 from latchkey.streams s where s.stream_id = any (touched_stream) order by s.stream_id for update;
    exception when lock_not_available then
      -- What is still held is left out below; the rest of the batch goes on.
      null;
    end;
  end if;

  -- Filled, because an array whose first assigned element is not its first would start there, and unnest with it.
  versions := array_fill(0, array[touched]);
  guards := array_fill(0::bigint, array[touched]);
  last_positions := array_fill(null::bigint, array[touched]);
  first_positions := last_positions;
  event_count := versions;
  event_pos := array_fill(null::bigint, array[cardinality(event_touched)]);
  event_version := array_fill(null::integer, array[cardinality(event_touched)]);
  fresh := array_fill(null::boolean, array[touched]);
  has_events := array_fill(false, array[touched]);
  recorded_floor := array_fill('-infinity'::timestamptz, array[touched]);
  for k in 1 .. cardinality(event_touched) loop
    has_events[event_touched[k]] := true;
  end loop;

  for held in
    select s.stream_id, s.version, s.guard_v, s.last_recorded_at from latchkey.streams s
    where s.stream_id = any (touched_stream) order by s.stream_id for update skip locked
  loop
    i := array_position(touched_stream, held.stream_id);
    versions[i] := held.version;
    guards[i] := held.guard_v;
    recorded_floor[i] := held.last_recorded_at;
    fresh[i] := false;
  end loop;

  for i in 1 .. touched loop
    if fresh[i] is null then
      unlocked := unlocked || touched_stream[i];
      -- A stream that is not there guards nothing.
      if touched_expected[i] in (0, -2) and touched_guard[i] is null and has_events[i] then
        fresh[i] := true;
        outcomes[i] := 'appended';
      else
        outcomes[i] := 'conflict';
      end if;
    elsif touched_expected[i] = 0
      or (touched_expected[i] > 0 and touched_expected[i] <> versions[i])
      or touched_guard[i] <> guards[i] then
      outcomes[i] := 'conflict';
    else
      outcomes[i] := 'appended';
    end if;
  end loop;

  -- Those that exist after all are held by somebody else.
  if cardinality(unlocked) > 0 then
    for held in
      select s.stream_id, s.version, s.guard_v from latchkey.streams s where s.stream_id = any (unlocked)
    loop
      i := array_position(touched_stream, held.stream_id);
      versions[i] := held.version;
      guards[i] := held.guard_v;
      outcomes[i] := case when touched_expected[i] = 0 then 'conflict' else 'busy' end;
    end loop;
  end if;

  for i in 1 .. touched loop
    if outcomes[i] <> 'appended' then
      refused := refused || touched_command[i];
    end if;
  end loop;

  for k in 1 .. cardinality(event_touched) loop
    i := event_touched[k];
    if touched_command[i] <> all (refused) then
      event_pos[k] := nextval('latchkey.event_pos');
      event_count[i] := event_count[i] + 1;
      event_version[k] := versions[i] + event_count[i];
      if event_count[i] = 1 then first_positions[i] := event_pos[k]; end if;
      last_positions[i] := event_pos[k];
    end if;
  end loop;
  drawn_at := clock_timestamp();

  for i in 1 .. touched loop
    if touched_command[i] = any (refused) then
      if outcomes[i] = 'appended' then outcomes[i] := 'refused'; end if;
      fresh[i] := null;
    elsif fresh[i] then
      fresh_count := fresh_count + 1;
    elsif event_count[i] > 0 or touched_bump[i] then
      known_count := known_count + 1;
    else
      fresh[i] := null;
    end if;
  end loop;

  -- What may break a unique key comes first: a batch that fails has then cost little.
  if rows ? 'credentials' then perform latchkey.project_credentials(rows -> 'credentials', refused); end if;
  if rows ?| array['password_hashes', 'device_tokens', 'subject_keys', 'key_secrets'] then
    perform latchkey.store_secrets(rows, refused);
  end if;

  if fresh_count > 0 then
    insert into latchkey.streams (stream_id, kind, subject_id, version, first_pos, last_pos, last_recorded_at)
    select t.id, t.kind, t.subject, t.n, t.low, t.high, drawn_at
    from unnest(touched_stream, touched_kind, touched_subject, event_count, first_positions, last_positions, fresh)
      as t(id, kind, subject, n, low, high, fresh)
    where t.fresh
    on conflict (stream_id) do nothing;
    get diagnostics affected = row_count;
    if affected <> fresh_count then
      raise exception 'a stream of this batch was created by somebody else' using errcode = 'LK409';
    end if;
  end if;

  if known_count > 0 then
    update latchkey.streams s set
      version = s.version + t.n,
      guard_v = s.guard_v + t.bump::integer,
      last_pos = coalesce(t.high, s.last_pos),
      last_recorded_at = case when t.n > 0 then greatest(drawn_at, s.last_recorded_at) else s.last_recorded_at end
    from unnest(touched_stream, event_count, last_positions, touched_bump, fresh) as t(id, n, high, bump, fresh)
    where s.stream_id = t.id and not t.fresh;
  end if;

  if cardinality(event_pos) > 0 then
    insert into latchkey.events
      (pos, kind, stream_id, version, type, schema_v, data, pii, subject_id, meta, recorded_at)
    select e.pos, touched_kind[e.i], touched_stream[e.i], e.version, e.type, e.schema_v, e.data, e.pii,
      touched_subject[e.i], e.meta, greatest(drawn_at, recorded_floor[e.i])
    from unnest(event_touched, event_pos, event_version, event_type, event_schema, event_data, event_pii, event_meta)
      as e(i, pos, version, type, schema_v, data, pii, meta)
    where e.pos is not null;
  end if;

  if rows ? 'sessions' then perform latchkey.project_sessions(rows -> 'sessions', refused); end if;
  if rows ? 'users' then perform latchkey.project_users(rows -> 'users', refused); end if;
  if rows ? 'clients' then perform latchkey.project_clients(rows -> 'clients', refused); end if;
  if rows ? 'keysets' then perform latchkey.project_keysets(rows -> 'keysets', refused); end if;
  if rows ? 'invites' then perform latchkey.project_invites(rows -> 'invites', refused); end if;
  if rows ? 'revocations' then
    perform latchkey.project_revocations(rows -> 'revocations', refused, event_pos);
  end if;

  for i in 1 .. touched loop
    if fresh[i] is not null then
      versions[i] := versions[i] + event_count[i];
      guards[i] := guards[i] + touched_bump[i]::integer;
    end if;
  end loop;
end $$;

-- The events of a stream, in order. The bounds stand in the statement as constants, so that planning leaves out, and does
-- not lock, the partitions beyond them: with bound parameters every reader would lock every partition.
create function latchkey.read_stream(stream uuid) returns setof latchkey.events language plpgsql stable as $$
declare
  bounds record;
begin
  select s.kind, s.first_pos, s.last_pos into bounds from latchkey.streams s where s.stream_id = stream;
  if found then
    return query execute format('select e.* from latchkey.events e
      where e.kind = %s and e.stream_id = %L and e.pos between %s and %s order by e.version',
      bounds.kind, stream, bounds.first_pos, bounds.last_pos);
  end if;
end $$;

-- The last version and position that a command left in a stream; nulls when it left none. Constants as in read_stream.
create function latchkey.find_command(stream uuid, command_id text, out version integer, out pos bigint)
language plpgsql stable as $$
declare
  bounds record;
begin
  select s.kind, s.first_pos, s.last_pos into bounds from latchkey.streams s where s.stream_id = stream;
  if found then
    execute format('select max(e.version), max(e.pos) from latchkey.events e
      where e.kind = %s and e.stream_id = %L and e.pos between %s and %s and e.meta ->> ''command_id'' = $1',
      bounds.kind, stream, bounds.first_pos, bounds.last_pos) using command_id into version, pos;
  end if;
end $$;

-- Whether a command whose answer was lost is in the log. Locking its streams first waits for an append still under way;
-- the events are read by a later statement, so with a snapshot that has seen it end. A stream without an event of this
-- command (a guard) has no last_pos; without any last_pos, the command is not there.
create function latchkey.read_back(touched_stream uuid[], command_id text)
returns table (stream_id uuid, version integer, last_pos bigint) language plpgsql as $$
#variable_conflict use_column
begin
  perform set_config('lock_timeout', '500ms', true);
  perform 1 from latchkey.streams s where s.stream_id = any (touched_stream) order by s.stream_id for update;
  return query
    select s.stream_id, coalesce(c.version, s.version), c.pos
    from latchkey.streams s cross join lateral latchkey.find_command(s.stream_id, read_back.command_id) c
    where s.stream_id = any (touched_stream);
end $$;

-- Waits until all that this session can see is as durable as an answered append. A commit whose wait for the standby was
-- cut short (the server was restarted meanwhile) is visible and may stand on this server alone; a later record that the
-- standby has confirmed vouches for it. Without a synchronous standby there is nothing to wait for.
create function latchkey.confirm() returns void language plpgsql as $$
declare
  written text;
begin
  if current_setting('synchronous_standby_names') <> '' then
    if current_setting('synchronous_commit') in ('off', 'local') then
      written := set_config('synchronous_commit', 'on', true);
    end if;
    written := pg_logical_emit_message(true, 'latchkey', 'confirm'::text);
  end if;
end $$;

-- Goes the way of an append without appending: the fence, the locks on every table that an append writes to, a record in
-- the write-ahead log, a commit that waits for the standby. `thorough` inserts an event too, large enough to need new
-- pages, and takes it back: for when appends have failed, since a full disk shows only there. Answers what of the
-- settings weakens durability.
create function latchkey.probe_append(thorough boolean) returns text[] language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '500ms' as $$
declare
  target record;
  written text;
  weak text[] := '{}';
begin
  perform pg_advisory_xact_lock_shared(1279350347, 1);
  select p.table_name, p.to_pos into target from latchkey.session_partitions p, latchkey.event_pos s
    where s.last_value >= p.from_pos and s.last_value < p.to_pos;
  if not found then
    raise exception 'no partition for the next session event' using errcode = 'LK002';
  end if;
  execute format('lock table only latchkey.events, only latchkey.events_session, only latchkey.%I
    in row exclusive mode', target.table_name);
  lock table only latchkey.events_user, only latchkey.events_client, only latchkey.events_keyset,
    only latchkey.events_invite, only latchkey.streams, only latchkey.users, only latchkey.sessions,
    only latchkey.clients, only latchkey.keysets, only latchkey.invites, only latchkey.credentials,
    only latchkey.revocations, only latchkey.password_hashes, only latchkey.key_secrets,
    only latchkey.subject_keys in row exclusive mode;
  if thorough then
    begin
      insert into latchkey.events (pos, kind, stream_id, version, type, schema_v, data, pii, meta, recorded_at)
      select target.to_pos - 1, 2, '00000000-0000-8000-8000-000000000000', 1, 'Probe', 1, '{}',
        (select decode(string_agg(md5(random()::text), ''), 'hex') from generate_series(1, 2048)), '{}', clock_timestamp();
      raise exception using errcode = 'LK003';
    exception when sqlstate 'LK003' then
      null;
    end;
  end if;
  if current_setting('fsync') <> 'on' then weak := weak || 'fsync'::text; end if;
  if current_setting('full_page_writes') <> 'on' then weak := weak || 'full_page_writes'::text; end if;
  if current_setting('synchronous_commit') in ('off', 'local') then
    weak := weak || 'synchronous_commit'::text;
    written := set_config('synchronous_commit', 'on', true);
  end if;
  written := pg_logical_emit_message(true, 'latchkey', 'probe'::text);
  return weak;
end $$;
revoke execute on function latchkey.probe_append(boolean) from public;

-- Everything the application role may do. Called by every migrate, after the last migration, and replaced by later ones.
create function latchkey.grant_application(role_name text) returns void language plpgsql as $$
begin
  execute format('grant usage on schema latchkey to %I', role_name);
  execute format('grant select, insert on latchkey.events to %I', role_name);
  execute format('grant select, insert, update on latchkey.streams to %I', role_name);
  execute format('grant select on latchkey.log_meta, latchkey.session_partitions, latchkey.schema_migrations to %I',
    role_name);
  execute format('grant select, insert on latchkey.log_doubts to %I', role_name);
  execute format('grant select, usage on sequence latchkey.event_pos to %I', role_name);
  execute format('grant select, insert, update, delete on latchkey.users, latchkey.sessions, latchkey.clients,
    latchkey.keysets, latchkey.invites, latchkey.credentials, latchkey.revocations, latchkey.projection_watermarks,
    latchkey.checkpoints, latchkey.access_token_lifetimes, latchkey.password_hashes, latchkey.device_tokens,
    latchkey.key_secrets, latchkey.subject_keys to %I', role_name);
  execute format('grant execute on function latchkey.ensure_session_partitions(integer, bigint) to %I', role_name);
  execute format('grant execute on function latchkey.probe_append(boolean) to %I', role_name);
end $$;
