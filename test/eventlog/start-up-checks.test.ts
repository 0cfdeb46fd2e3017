import { describe, expect, it } from 'vitest';
import { sessionProblems } from '../../src/eventlog/session-settings.ts';
import { checkDatabase } from '../../src/eventlog/start-up-checks.ts';
import { answering } from './answers.ts';

/** As on a fresh Postgres with the settings of `latchkey migrate`. */
const server = {
  server_version_num: '180000',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  synchronous_standby_names: '',
  max_connections: '100',
  reserved_connections: '2',
  superuser_reserved_connections: '3',
};
const log = {
  ...{ cache: '1', head: '7', last_pos: '7', checkpoint: '7', connected: '10' },
  ...{ role_room: null as string | null, database_room: null as string | null },
  ...{ may_change: false, role: 'app' },
};
const session = {
  DateStyle: 'ISO, MDY',
  server_encoding: 'UTF8',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  array_nulls: 'on',
  transform_null_equals: 'off',
  exit_on_error: 'off',
  standard_conforming_strings: 'on',
  idle_session_timeout: '0',
  statement_timeout: '10000',
  lock_timeout: '2000',
  idle_in_transaction_session_timeout: '5000',
};
const settingsOf = (values: object) =>
  Object.entries(values).map(([name, setting]) => ({ name, setting }));

interface Change {
  readonly server?: Partial<Record<keyof typeof server, string>>;
  readonly log?: Partial<Record<keyof typeof log, string | boolean>>;
  readonly session?: Partial<Record<keyof typeof session, string>>;
  readonly ownerAllowed?: boolean;
}

/** The problems of a database that differs from a good one in `change`. */
async function problemsOf(change: Change, connections = 85): Promise<readonly string[]> {
  const { ownerAllowed } = change;
  const client = answering(({ text, values }) => {
    if (text.includes('pg_sequence')) return [{ ...log, ...change.log }];
    if (text.includes('server_version_num')) return settingsOf({ ...server, ...change.server });
    expect(values).toEqual([Object.keys(session)]);
    const place = { role: 'app', database: 'db' };
    return settingsOf({ ...session, ...change.session }).map((row) => ({ ...row, ...place }));
  });
  const demands = ownerAllowed === undefined ? { connections } : { connections, ownerAllowed };
  try {
    await checkDatabase(client, demands);
    return [];
  } catch (error) {
    const { name, message, problems } = error as Error & { problems: readonly string[] };
    expect([name, message]).toEqual(['UnsafeDatabaseError', problems.join('\n')]);
    return problems;
  }
}

const good: readonly [string, Change][] = [
  ['a good one', {}],
  ['Postgres 15', { server: { server_version_num: '150000' } }],
  ['commits that only the local disk confirms', { server: { synchronous_commit: 'local' } }],
  ['a head before the log', { log: { head: '9' } }],
  ['an owner, where one role may do both', { log: { may_change: true }, ownerAllowed: true }],
  ['another spelling of dates in ISO', { session: { DateStyle: 'ISO, DMY' } }],
  ['the shortest limits', { session: { statement_timeout: '2000', lock_timeout: '500' } }],
  ['the longest limits', { session: { statement_timeout: '60000', lock_timeout: '10000' } }],
  ['room for just as many connections', { log: { role_room: '85', database_room: '85' } }],
];

const unsafe: readonly [Change, RegExp][] = [
  [{ server: { server_version_num: '149999' } }, /^Postgres 15 or newer/],
  [{ server: { fsync: 'off' } }, /^fsync is off/],
  [{ server: { full_page_writes: 'off' } }, /^full_page_writes is off/],
  [{ server: { synchronous_commit: 'off' } }, /^synchronous_commit is off/],
  [
    { server: { synchronous_commit: 'local', synchronous_standby_names: 's' } },
    /^synchronous_commit is local beside/,
  ],
  [{ log: { may_change: true } }, /^DATABASE_URL names the role app,/],
  [{ log: { may_change: true }, ownerAllowed: false }, /^DATABASE_URL names the role app,/],
  [{ log: { cache: '2' } }, /must have CACHE 1/],
  [{ log: { last_pos: '8' } }, /\(7\) is behind the log \(8\) or a checkpoint \(7\)/],
  [{ log: { checkpoint: '8' } }, /\(7\) is behind the log \(7\) or a checkpoint \(8\)/],
  [{ server: { max_connections: '99' } }, /^max_connections leaves room for 84 .* open 85/],
  [{ server: { reserved_connections: '3' } }, /^max_connections leaves room for 84/],
  [{ server: { superuser_reserved_connections: '4' } }, /^max_connections leaves room for 84/],
  [{ log: { connected: '11' } }, /^max_connections leaves room for 84/],
  [{ log: { role_room: '84' } }, /^the connection limit of the role leaves room for 84/],
  [{ log: { database_room: '84' } }, /^the connection limit of the database leaves room for 84/],
  [{ session: { server_encoding: 'LATIN1' } }, /encoded in LATIN1/],
  [{ session: { DateStyle: 'SQL' } }, /^DateStyle is SQL: .* app in database db .* = 'ISO, MDY'/],
  [
    { session: { standard_conforming_strings: 'off' } },
    /^standard_conforming_strings is off and must be on: .* standard_conforming_strings = 'on'/,
  ],
  [
    { session: { statement_timeout: '1999' } },
    /^statement_timeout is 1999 ms and must be between 2000 and 60000 ms: .* = '10s'/,
  ],
  [{ session: { lock_timeout: '10001' } }, /^lock_timeout is 10001 ms .* = '2s'/],
  [
    { session: { idle_in_transaction_session_timeout: '999' } },
    /^idle_in_transaction_session_timeout is 999 ms and .* 1000 and 60000 ms: .* = '5s'/,
  ],
];

describe('a database at the start', () => {
  it.each(good)('is accepted: %s', async (_, change) => {
    expect(await problemsOf(change)).toEqual([]);
  });

  it.each(unsafe)('is refused, with what to change: %j', async (change, problem) => {
    expect(await problemsOf(change)).toEqual([expect.stringMatching(problem)]);
  });

  it('is told every problem at once', async () => {
    const change = { server: { fsync: 'off' }, log: { cache: '2' }, session: { DateStyle: 'SQL' } };
    expect(await problemsOf(change)).toHaveLength(3);
  });

  it('of an old Postgres has no reserved connections to count', async () => {
    const { reserved_connections: _, ...older } = server;
    const client = answering(({ text }) => {
      if (text.includes('pg_sequence')) return [log];
      return settingsOf(text.includes('server_version_num') ? older : session);
    });
    await checkDatabase(client, { connections: 87 });
    await expect(checkDatabase(client, { connections: 88 })).rejects.toThrow(/room for 87/);
  });

  // Fails when the owner is asked for the limits of the application: it migrates for minutes.
  it('asks for time limits of the application role alone', async () => {
    const owner = { log: { may_change: true }, ownerAllowed: true };
    expect(await problemsOf({ ...owner, session: { statement_timeout: '0' } })).toEqual([]);
    const client = answering(() => settingsOf({ statement_timeout: '0', array_nulls: 'off' }));
    expect(await sessionProblems(client, false)).toEqual([expect.stringMatching(/^array_nulls/)]);
  });
});
