import type { SessionState } from '../domain/session/state.ts';
import type { CommandRows } from '../eventlog/command.ts';
import { GroupedReads } from '../eventlog/grouped-reads.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { type SessionRecord, sessionRecord, sessions } from './session.ts';

/** The private part of a key that its session is about to be given; wrapped. */
export function sessionKeyRows(kid: string, wrapped: string): CommandRows {
  return { session_key_secrets: [{ kid, wrapped }] };
}

/** Whoever ends a session, and why ever: its private key goes in the same transaction. */
export function endedKeyRows(before: SessionState, after: SessionState): CommandRows {
  const kid = before.sessionKey?.kid;
  if (kid === undefined || after.sessionKey !== null) return {};
  return { session_key_secrets: [{ kid, wrapped: null }] };
}

/** The wrapped private part; null once its session has ended. */
export async function findSessionKeySecret(client: Queryable, kid: string): Promise<string | null> {
  const { rows } = await client.query({
    name: 'find-session-key-secret',
    text: 'select wrapped from latchkey.session_key_secrets where kid = $1',
    values: [kid],
  });
  return (rows[0]?.wrapped as string | undefined) ?? null;
}

/** The live sessions of a user that have keys of their own, newest first; null: no such user. */
export async function findSessionsWithKeys(
  client: SealedReaders,
  userId: string,
): Promise<SessionRecord[] | null> {
  const { rows } = await client.query({
    name: 'find-sessions-with-keys',
    text: `select ${sessions.select('s')} from latchkey.users u
      left join latchkey.sessions s
        on s.user_id = u.user_id and s.status = 'live' and s.session_key is not null
      where u.user_id = $1 and u.status <> 'erased' order by s.started_at desc, s.session_id desc`,
    values: [userId],
  });
  if (rows.length === 0) return null;
  return rows
    .filter(({ session_id }) => session_id !== null)
    .filter((row) => sessions.accepts(client.seal, row))
    .map(sessionRecord);
}

/** The session that a key belongs to, read in one statement for all lookups that wait. */
export class SessionsByKid {
  readonly #reads: GroupedReads;
  readonly #readers: SealedReaders;

  constructor(readers: SealedReaders) {
    this.#reads = new GroupedReads(readers, sessionsByKid);
    this.#readers = readers;
  }

  /** The live session, or null. Raises `internal_error` when its row is not to be trusted. */
  async find(kid: string): Promise<SessionRecord | null> {
    const row = await this.#reads.find(kid);
    if (row === null) return null;
    sessions.require(this.#readers.seal, row);
    return sessionRecord(row);
  }
}

// `offset 0`: see `SessionsWithUsers`.
const sessionsByKid = {
  name: 'find-sessions-by-kid',
  key: 'kid',
  text: `select f.* from unnest($1::text[]) as wanted(kid) cross join lateral (
    select wanted.kid, ${sessions.select('s', 'st')}
    from latchkey.sessions s join latchkey.streams st on st.stream_id = s.session_id
    where s.session_key ->> 'kid' = wanted.kid and s.status = 'live' offset 0) f`,
} as const;
