import { GroupedReads } from '../eventlog/grouped-reads.ts';
import type { RecordSeal, SealedReaders } from '../eventlog/record-seal.ts';
import { type SessionRecord, sessionRecord, sessions } from './session.ts';
import { type UserRecord, users } from './user.ts';

const userPrefix = 'owner_';

/** The owner of a session, and how many of the owner's live sessions are newer than it. */
export interface UserOfSession extends UserRecord {
  /** Wrapped. */
  readonly subjectKey: string | null;
  readonly newerSessions: { readonly newer: number; readonly newerOfType: number };
}

/** A session of any user, live or ended; `user` is null when the user's row is gone. */
export interface SessionWithUser {
  readonly session: SessionRecord;
  readonly user: UserOfSession | null;
}

/** All that a refresh decides on, read in one statement for all refreshes that wait. */
export class SessionsWithUsers {
  readonly #reads: GroupedReads;
  readonly #seal: RecordSeal;

  constructor(client: SealedReaders) {
    this.#reads = new GroupedReads(client, statement);
    this.#seal = client.seal;
  }

  /** Null when there is no such session. Raises `internal_error` for rows not to be trusted. */
  async find(sessionId: string): Promise<SessionWithUser | null> {
    const row = await this.#reads.find(sessionId);
    if (row === null) return null;
    sessions.require(this.#seal, row);
    const session = sessionRecord(row);
    if (row[`${userPrefix}user_id`] === null) return { session, user: null };
    users.require(this.#seal, row, userPrefix);
    const { id, ...record } = users.record(row, userPrefix);
    const { newer, newer_of_type: newerOfType } = row as { newer: number; newer_of_type: number };
    const user: UserOfSession = {
      userId: id,
      ...record,
      subjectKey: row.subject_key as string | null,
      newerSessions: { newer, newerOfType },
    };
    return { session, user };
  }
}

// `offset 0` keeps Postgres from flattening the subquery: it looks each session up by key, even
// under a plan that was made for small tables.
const statement = {
  name: 'find-sessions-with-users',
  key: sessions.key,
  text: `select f.* from unnest($1::uuid[]) as wanted(id) cross join lateral (
    select ${sessions.select('s', 'st')}, ${users.select('u', 'ust', userPrefix)},
      k.wrapped as subject_key, n.newer, n.newer_of_type
    from latchkey.sessions s
      join latchkey.streams st on st.stream_id = s.session_id
      left join latchkey.users u on u.user_id = s.user_id
      left join latchkey.streams ust on ust.stream_id = u.user_id
      left join latchkey.subject_keys k on k.subject_id = u.user_id
      cross join lateral (select count(*)::int as newer,
          (count(*) filter (where o.device_type = s.device_type))::int as newer_of_type
        from latchkey.sessions o where o.user_id = s.user_id and o.status = 'live'
          and o.started_at >= s.started_at
          and (o.started_at, o.session_id) > (s.started_at, s.session_id)) n
    where s.session_id = wanted.id offset 0) f`,
} as const;
