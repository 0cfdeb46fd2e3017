import { safeInteger } from '../platform/postgres/safe-integer.ts';
import { highestPositionSql } from './highest-position.ts';
import type { Queryable } from './queryable.ts';
import { sessionProblems } from './session-settings.ts';

/** The database cannot keep the log's promises. Each problem says what to change. */
class UnsafeDatabaseError extends Error {
  override readonly name = 'UnsafeDatabaseError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export interface DatabaseDemands {
  /** How many this process may open. */
  readonly connections: number;
  /** In dev one role may migrate and serve. */
  readonly ownerAllowed?: boolean;
}

/**
 * Refuses a database on which "answered" would not mean "durable", or whose positions could repeat.
 * Refuses a role that may change the log, unless `ownerAllowed`. `connections`: how many this
 * process may open. Throws UnsafeDatabaseError with every problem.
 */
export async function checkDatabase(
  client: Queryable,
  { connections, ownerAllowed = false }: DatabaseDemands,
): Promise<void> {
  const { rows: settings } = await client.query({
    text: `select name, setting from pg_settings where name in ('server_version_num', 'fsync', 'full_page_writes',
      'synchronous_commit', 'synchronous_standby_names', 'max_connections', 'reserved_connections',
      'superuser_reserved_connections')`,
  });
  const setting = Object.fromEntries(settings.map(({ name, setting }) => [name, setting]));
  const problems: string[] = [];
  if (Number(setting.server_version_num) < 150_000)
    problems.push('Postgres 15 or newer is needed.');
  for (const name of ['fsync', 'full_page_writes']) {
    if (setting[name] !== 'on')
      problems.push(`${name} is off: a crash could lose what was answered.`);
  }
  if (setting.synchronous_commit === 'off') {
    problems.push('synchronous_commit is off: a crash could lose what was answered.');
  }
  if (setting.synchronous_commit === 'local' && setting.synchronous_standby_names !== '') {
    problems.push(
      'synchronous_commit is local beside synchronous standbys: a failover could lose what was answered.',
    );
  }
  const { rows } = await client.query({
    text: `select (select seqcache from pg_sequence where seqrelid = 'latchkey.event_pos'::regclass) as cache,
      ${highestPositionSql} as head,
      (select coalesce(max(pos), 0) from latchkey.events) as last_pos,
      (select coalesce(max(pos), 0) from latchkey.checkpoints join latchkey.log_meta using (log_id)) as checkpoint,
      (select coalesce(sum(numbackends), 0) from pg_stat_database) as connected,
      (select rolconnlimit - (select count(*) from pg_stat_activity where usename = rolname)
        from pg_roles where rolname = current_user and rolconnlimit >= 0) as role_room,
      (select datconnlimit - (select numbackends from pg_stat_database s where s.datid = d.oid)
        from pg_database d where datname = current_database() and datconnlimit >= 0) as database_room,
      has_table_privilege('latchkey.events', 'delete') as may_change, current_user as role`,
  });
  const { cache, head, last_pos: lastPos, checkpoint, connected } = rows[0]!;
  if (rows[0]!.may_change === true && !ownerAllowed) {
    problems.push(
      `DATABASE_URL names the role ${String(rows[0]!.role)}, which may change the log: give this process the application role, and the owner to \`latchkey migrate\` only.`,
    );
  }
  if (safeInteger(cache) !== 1) {
    problems.push('latchkey.event_pos must have CACHE 1: a tail could skip events.');
  }
  if (safeInteger(head) < safeInteger(lastPos) || safeInteger(head) < safeInteger(checkpoint)) {
    problems.push(
      `latchkey.event_pos (${String(head)}) is behind the log (${String(lastPos)}) or a checkpoint (${String(checkpoint)}): positions would repeat.`,
    );
  }
  problems.push(...(await sessionProblems(client, rows[0]!.may_change !== true)));
  const serverRoom =
    Number(setting.max_connections) -
    Number(setting.superuser_reserved_connections) -
    Number(setting.reserved_connections ?? 0) -
    safeInteger(connected);
  const rooms = {
    max_connections: serverRoom,
    'the connection limit of the role': rows[0]!.role_room,
    'the connection limit of the database': rows[0]!.database_room,
  };
  for (const [limit, room] of Object.entries(rooms)) {
    if (room === null || safeInteger(room) >= connections) continue;
    problems.push(
      `${limit} leaves room for ${String(room)} connections and this process may open ${connections}.`,
    );
  }
  if (problems.length > 0) throw new UnsafeDatabaseError(problems);
}
