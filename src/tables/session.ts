import type { DeviceType } from '@latchkey/contract/device-type';
import type { SessionState } from '../domain/session/state.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import {
  ciphertext,
  confidential,
  fromTimestamp,
  json,
  plain,
  time,
  timeOrNull,
  toTimestamp,
} from './columns.ts';
import { StateTable } from './table.ts';

export interface SessionRecord {
  readonly sessionId: string;
  readonly version: number;
  readonly state: SessionState;
}

export const sessions = new StateTable<SessionState>('sessions', 'session_id', {
  status: plain('status'),
  userId: plain('user_id'),
  clientId: plain('client_id'),
  deviceType: plain('device_type'),
  amr: plain('amr'),
  audience: plain('audience'),
  scope: plain('scope'),
  transport: plain('transport'),
  startedAt: time('started_at'),
  refreshedAt: time('refreshed_at'),
  expiresAt: time('expires_at'),
  generation: plain('generation'),
  stepUps: plain('step_ups'),
  secretHash: confidential(plain('secret_hash')),
  parentHash: confidential(plain('parent_hash')),
  salt: confidential(plain('salt')),
  idempotencyKeyHash: confidential(plain('idempotency_key_hash')),
  accessExpiresAt: time('access_expires_at'),
  tokensFromGeneration: plain('tokens_from_generation'),
  tokensMarkGeneration: plain('tokens_mark_generation'),
  tokensMarkUntil: time('tokens_mark_until'),
  endedAt: timeOrNull('ended_at'),
  endReason: plain('end_reason'),
  pii: ciphertext('pii'),
  endPii: ciphertext('end_pii'),
  deviceKey: json('device_key'),
  deviceKeyConfirmedAt: timeOrNull('device_key_confirmed_at'),
  sessionKey: json('session_key'),
});

/** What a statement with `sessions.select` has read. */
export function sessionRecord(row: Record<string, unknown>): SessionRecord {
  const { id, ...record } = sessions.record(row);
  return { sessionId: id, ...record };
}

/** A session of any user, live or ended; null when there is none. */
export async function findSession(
  client: SealedReaders,
  sessionId: string,
): Promise<SessionRecord | null> {
  const { rows } = await client.query({
    name: 'find-session',
    text: `select ${sessions.select('s', 'st')} from latchkey.sessions s
      join latchkey.streams st on st.stream_id = s.session_id where s.session_id = $1`,
    values: [sessionId],
  });
  if (rows[0] === undefined) return null;
  sessions.require(client.seal, rows[0]);
  return sessionRecord(rows[0]);
}

/** Those of these sessions that there are. One that is not to be trusted is left out. */
export async function findSessionsByIds(
  client: SealedReaders,
  sessionIds: readonly string[],
): Promise<SessionRecord[]> {
  if (sessionIds.length === 0) return [];
  const { rows } = await client.query({
    name: 'find-sessions-by-ids',
    text: `select ${sessions.select('s')} from latchkey.sessions s
      where s.session_id = any ($1::uuid[])`,
    values: [sessionIds],
  });
  return trusted(client, rows);
}

/**
 * The live sessions of a user, newest first; some may have passed their expiry and wait for the job
 * that says so. One that is not to be trusted is left out: its token is refused wherever it is shown.
 */
export async function findLiveSessions(
  client: SealedReaders,
  userId: string,
): Promise<SessionRecord[]> {
  const { rows } = await client.query({
    name: 'find-live-sessions',
    text: `select ${sessions.select('s')} from latchkey.sessions s
      where s.user_id = $1 and s.status = 'live' order by s.started_at desc, s.session_id desc`,
    values: [userId],
  });
  return trusted(client, rows);
}

/** A place in the order in which sessions expire; `expiresAt` in epoch ms. */
export interface SessionExpiry {
  readonly expiresAt: number;
  readonly sessionId: string;
}

/** Those sessions of a page that are to be trusted; where the next one begins, null at the end. */
export interface SessionsPage {
  readonly sessions: readonly SessionRecord[];
  readonly next: SessionExpiry | null;
}

/**
 * Live sessions whose absolute life ended before `now` (epoch ms), at most `limit`, oldest first,
 * beyond `after`. Without it each page would pass over the index entries of those that the pages
 * before it ended, which stay as long as any transaction may still see them.
 */
export async function findExpiredSessions(
  client: SealedReaders,
  { now, after, limit }: { now: number; after: SessionExpiry; limit: number },
): Promise<SessionsPage> {
  const { rows } = await client.query({
    name: 'find-expired-sessions',
    text: `select ${sessions.select('s')} from latchkey.sessions s
      where s.status = 'live' and s.expires_at <= $1 and (s.expires_at, s.session_id) > ($2, $3)
      order by s.expires_at, s.session_id limit $4`,
    values: [toTimestamp(now), toTimestamp(after.expiresAt), after.sessionId, limit],
  });
  return { sessions: trusted(client, rows), next: nextPlace(rows, limit) };
}

/**
 * How many seconds ago, by the clock of the database, the absolute life of the oldest live session
 * ended; 0 if none has.
 */
export async function oldestOverdueSeconds(client: Queryable): Promise<number> {
  const { rows } = await client.query({
    name: 'oldest-overdue-session',
    text: `select greatest(0, extract(epoch from clock_timestamp() - min(expires_at)))::float8
        as seconds from latchkey.sessions where status = 'live'`,
  });
  return (rows[0]!.seconds as number | null) ?? 0;
}

function nextPlace(rows: readonly Record<string, unknown>[], limit: number): SessionExpiry | null {
  const last = rows.at(-1);
  if (last === undefined || rows.length < limit) return null;
  return { expiresAt: fromTimestamp(last.expires_at), sessionId: last.session_id as string };
}

function trusted({ seal }: SealedReaders, rows: Record<string, unknown>[]): SessionRecord[] {
  return rows.filter((row) => sessions.accepts(seal, row)).map(sessionRecord);
}

/** Which sessions of a device type are over before their time; epoch milliseconds. */
export interface EarlyEnd {
  readonly deviceType: DeviceType;
  /** Not refreshed since: idle. */
  readonly refreshedUntil: number;
  /** Started before, and can be refreshed: older than the life configured now. */
  readonly startedUntil: number;
}

/** A page of live sessions in the order of their expiry, of which some may have to end early. */
export interface EarlySessionsPage {
  readonly after: SessionExpiry;
  readonly limit: number;
  /** By device type. */
  readonly ends: readonly EarlyEnd[];
}

/** Which sessions of the page have to end early. */
export async function findEarlySessions(
  client: SealedReaders,
  { after, limit, ends }: EarlySessionsPage,
): Promise<SessionsPage> {
  const { rows } = await client.query({
    name: 'find-early-sessions',
    text: `with page as materialized (
        select session_id, expires_at, refreshed_at, started_at, device_type, secret_hash
        from latchkey.sessions where status = 'live' and (expires_at, session_id) > ($1, $2::uuid)
        order by expires_at, session_id limit $3)
      select expires_at, session_id, refreshed_at <= ends.refreshed_until
          or (secret_hash is not null and started_at <= ends.started_until) as early
      from page join unnest($4::text[], $5::timestamptz[], $6::timestamptz[])
        as ends (device_type, refreshed_until, started_until) using (device_type)
      order by expires_at, session_id`,
    values: [
      toTimestamp(after.expiresAt),
      after.sessionId,
      limit,
      ends.map(({ deviceType }) => deviceType),
      ends.map(({ refreshedUntil }) => toTimestamp(refreshedUntil)),
      ends.map(({ startedUntil }) => toTimestamp(startedUntil)),
    ],
  });
  const early = rows.filter((row) => row.early).map(({ session_id }) => session_id as string);
  return { sessions: await findSessionsByIds(client, early), next: nextPlace(rows, limit) };
}
