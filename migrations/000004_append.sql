-- The one way into the log: a batch of commands in one call, one transaction, one commit; and reads of single streams.
-- Locks: none at migration time.

-- Whatever the database or the role was given: what is answered is durable, on the standby too.
create function latchkey.commit_durably() returns void language plpgsql as $$
declare
  ignored text;
begin
  if current_setting('synchronous_commit') in ('off', 'local') then
    ignored := set_config('synchronous_commit', 'on', true);
  end if;
end $$;

-- What every append does first. A call of its own, before any nextval: in a CTE it might not run, in the INSERT it would run
-- too late.
create function latchkey.begin_append() returns void language plpgsql as $$
declare
  ignored text;
begin
  ignored := pg_advisory_xact_lock_shared(1279350347, 1);
  ignored := latchkey.commit_durably();
end $$;

-- touched_*: one element per stream of the batch, in the order of the stream ids; no two commands share a stream.
--   expected: >= 1 that version, 0 none, -1 exists, -2 any; guard: the expected guard or null; bump: raise the guard.
-- event_*: one element per event; event_touched is the number of its stream in touched_*.
-- rows: {table: [{c: command, ...}]}, what the projections become when the command is accepted. Which tables there are, and
--   how each is written, is said by latchkey.projected_tables: nothing here changes with them.
-- patient: wait up to 50 ms for held streams instead of leaving them out as 'busy'.
-- Answers, per touched stream: appended, conflict (with the actual version and guard), busy, or refused (a sibling of
-- the same command was not appended), and the position of its last event.
-- Procedural where it counts: a statement costs 25 to 50 us to start, an array element or an assignment less than one.
-- Plans are made once and must not depend on how small the tables were then, hence the two planner settings.
create function latchkey.append(
  touched_command integer[], touched_stream uuid[], touched_kind smallint[], touched_subject uuid[],
  touched_expected integer[], touched_guard bigint[], touched_bump boolean[],
  event_touched integer[], event_type text[], event_schema smallint[], event_data jsonb[], event_pii bytea[],
  event_meta jsonb[], rows jsonb, patient boolean default false,
  out outcomes text[], out versions integer[], out guards bigint[], out last_positions bigint[])
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  ignored text;
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
  ignored := latchkey.begin_append();

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
  ignored := latchkey.project_early(rows, refused);

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

  ignored := latchkey.project_late(rows, refused);
  if rows ? 'revocations' then
    perform latchkey.project_revocations(rows -> 'revocations', refused, event_pos);
  end if;

  for i in 1 .. touched loop
    if fresh[i] is not null then
      versions[i] := versions[i] + event_count[i];
      guards[i] := guards[i] + (touched_bump[i] and not fresh[i])::integer;
    end if;
  end loop;
end $$;

-- What `append` does, for one command with one event in one stream, as most are when little goes on: faster,
-- since it needs no arrays (bench/append.ts). Answers nulls, and has written nothing, unless the command is accepted: ask `append` then.
-- A test keeps what both write equal.
create function latchkey.append_one(
  stream uuid, stream_kind smallint, subject uuid, expected integer, guard bigint, bump boolean,
  event_type text, event_schema smallint, event_data jsonb, event_pii bytea, event_meta jsonb, rows jsonb,
  out version integer, out guard_v bigint, out pos bigint)
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  ignored text;
  held record;
  drawn_at timestamptz;
begin
  ignored := latchkey.begin_append();
  if expected = 0 then
    if guard is not null or exists (select from latchkey.streams s where s.stream_id = append_one.stream) then
      return;
    end if;
    append_one.version := 1;
    append_one.guard_v := 0;
  else
    -- A stream that is not as expected is not locked either: the refusal then writes nothing.
    select s.version, s.guard_v, s.last_recorded_at into held from latchkey.streams s
    where s.stream_id = append_one.stream and (append_one.expected < 0 or s.version = append_one.expected)
      and (append_one.guard is null or s.guard_v = append_one.guard)
    for update skip locked;
    if not found then
      return;
    end if;
    append_one.version := held.version + 1;
    append_one.guard_v := held.guard_v + bump::integer;
  end if;
  append_one.pos := nextval('latchkey.event_pos');
  drawn_at := clock_timestamp();
  ignored := latchkey.project_early(rows, '{}');
  if expected = 0 then
    insert into latchkey.streams (stream_id, kind, subject_id, version, first_pos, last_pos, last_recorded_at)
    values (stream, stream_kind, subject, 1, append_one.pos, append_one.pos, drawn_at)
    on conflict (stream_id) do nothing;
    if not found then
      raise exception 'the stream was created by somebody else' using errcode = 'LK409';
    end if;
  else
    drawn_at := greatest(drawn_at, held.last_recorded_at);
    update latchkey.streams s set version = append_one.version, guard_v = append_one.guard_v, last_pos = append_one.pos,
      last_recorded_at = drawn_at
    where s.stream_id = append_one.stream;
  end if;
  insert into latchkey.events
    (pos, kind, stream_id, version, type, schema_v, data, pii, subject_id, meta, recorded_at)
  values (append_one.pos, stream_kind, stream, append_one.version, event_type, event_schema, event_data, event_pii,
    subject, event_meta, drawn_at);
  ignored := latchkey.project_late(rows, '{}');
  if rows ? 'revocations' then
    perform latchkey.project_revocations(rows -> 'revocations', '{}', array[append_one.pos]);
  end if;
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
  -- What is found is answered: its commit may still have to reach the standby, and the commit of these locks comes after it.
  perform latchkey.commit_durably();
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
    written := latchkey.commit_durably();
    written := pg_logical_emit_message(true, 'latchkey', 'confirm'::text);
  end if;
end $$;

-- Goes the way of an append without appending: the fence, the locks on every table that an append writes to (of the session
-- partitions the one that is written now), a record in the write-ahead log, a commit that waits for the standby.
-- `thorough` inserts an event too, large enough to need new pages, and takes it back: for when appends have failed, since a
-- full disk shows only there. Answers what of the settings weakens durability.
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
  execute (select format('lock table %s in row exclusive mode', string_agg(format('only latchkey.%I', t.name), ', '))
    from (
      values ('events'), (target.table_name), ('streams'), ('revocations')
      union all
      select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'latchkey.events'::regclass
      union all
      select p.name from latchkey.projected_tables p) as t(name));
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
