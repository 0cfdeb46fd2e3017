import type { DeviceType } from '../domain/session/events.ts';
import type { SessionState } from '../domain/session/state.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import {
  fromTimestamp,
  fromTimestampOrNull,
  toHex,
  toTimestamp,
  toTimestampOrNull,
} from './columns.ts';
import { SealedTable } from './sealed-table.ts';

export interface SessionRecord {
  readonly sessionId: string;
  readonly version: number;
  readonly state: SessionState;
}

/** The row is the folded state; `sessionState` reads it back. */
export function sessionRow(sessionId: string, version: number, state: SessionState) {
  return {
    session_id: sessionId,
    version,
    status: state.status,
    user_id: state.userId,
    client_id: state.clientId,
    device_type: state.deviceType,
    amr: state.amr,
    audience: state.audience,
    scope: state.scope,
    transport: state.transport,
    started_at: toTimestamp(state.startedAt),
    refreshed_at: toTimestamp(state.refreshedAt),
    expires_at: toTimestamp(state.expiresAt),
    generation: state.generation,
    secret_hash: state.secretHash,
    parent_hash: state.parentHash,
    salt: state.salt,
    idempotency_key_hash: state.idempotencyKeyHash,
    access_expires_at: toTimestamp(state.accessExpiresAt),
    tokens_from_generation: state.tokensFromGeneration,
    tokens_mark_generation: state.tokensMarkGeneration,
    tokens_mark_until: toTimestamp(state.tokensMarkUntil),
    ended_at: toTimestampOrNull(state.endedAt),
    end_reason: state.endReason,
    pii: toHex(state.pii),
    end_pii: toHex(state.endPii),
  };
}

const table = new SealedTable('sessions', [
  'session_id',
  'version',
  'status',
  'user_id',
  'client_id',
  'device_type',
  'amr',
  'audience',
  'scope',
  'transport',
  'started_at',
  'refreshed_at',
  'expires_at',
  'generation',
  'secret_hash',
  'parent_hash',
  'salt',
  'idempotency_key_hash',
  'access_expires_at',
  'tokens_from_generation',
  'tokens_mark_generation',
  'tokens_mark_until',
  'ended_at',
  'end_reason',
  'pii',
  'end_pii',
]);

function sessionRecord(row: Record<string, unknown>): SessionRecord {
  return {
    sessionId: row.session_id as string,
    version: row.version as number,
    state: {
      status: row.status as SessionState['status'],
      userId: row.user_id as string,
      clientId: row.client_id as string | null,
      deviceType: row.device_type as DeviceType,
      amr: row.amr as string[],
      audience: row.audience as string[],
      scope: row.scope as string,
      transport: row.transport as 'body' | 'cookie',
      startedAt: fromTimestamp(row.started_at),
      refreshedAt: fromTimestamp(row.refreshed_at),
      expiresAt: fromTimestamp(row.expires_at),
      generation: row.generation as number,
      secretHash: row.secret_hash as string | null,
      parentHash: row.parent_hash as string | null,
      salt: row.salt as string | null,
      idempotencyKeyHash: row.idempotency_key_hash as string | null,
      accessExpiresAt: fromTimestamp(row.access_expires_at),
      tokensFromGeneration: row.tokens_from_generation as number,
      tokensMarkGeneration: row.tokens_mark_generation as number,
      tokensMarkUntil: fromTimestamp(row.tokens_mark_until),
      endedAt: fromTimestampOrNull(row.ended_at),
      endReason: row.end_reason as SessionState['endReason'],
      pii: row.pii as Uint8Array | null,
      endPii: row.end_pii as Uint8Array | null,
    },
  };
}

/** A session, whoever owns it and whether or not it has ended; null when there is none. */
export async function findSession(
  client: SealedReaders,
  sessionId: string,
): Promise<SessionRecord | null> {
  const { rows } = await client.query({
    name: 'find-session',
    text: `select ${table.select('s', 'st')} from latchkey.sessions s
      join latchkey.streams st on st.stream_id = s.session_id where s.session_id = $1`,
    values: [sessionId],
  });
  if (rows[0] === undefined) return null;
  table.require(client.seal, rows[0]);
  return sessionRecord(rows[0]);
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
    text: `select ${table.select('s')} from latchkey.sessions s
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

/**
 * Live sessions whose absolute life ended before `now` (epoch ms), at most `limit`, oldest first,
 * beyond `after`. Without it each page would pass over the index entries of those that the pages
 * before it ended, which stay as long as any transaction may still see them.
 */
export async function findExpiredSessions(
  client: SealedReaders,
  { now, after, limit }: { now: number; after: SessionExpiry; limit: number },
): Promise<SessionRecord[]> {
  const { rows } = await client.query({
    name: 'find-expired-sessions',
    text: `select ${table.select('s')} from latchkey.sessions s
      where s.status = 'live' and s.expires_at <= $1 and (s.expires_at, s.session_id) > ($2, $3)
      order by s.expires_at, s.session_id limit $4`,
    values: [toTimestamp(now), toTimestamp(after.expiresAt), after.sessionId, limit],
  });
  return trusted(client, rows);
}

function trusted({ seal }: SealedReaders, rows: Record<string, unknown>[]): SessionRecord[] {
  return rows.filter((row) => table.accepts(seal, row)).map(sessionRecord);
}
