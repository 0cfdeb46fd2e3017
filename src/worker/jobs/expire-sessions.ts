import { limits } from '../../domain/kernel/limits.ts';
import { newId } from '../../platform/new-id.ts';
import { changeSession } from '../../projections/change.ts';
import { fromTimestamp, toTimestamp } from '../../projections/columns.ts';
import {
  findExpiredSessions,
  findSession,
  type SessionExpiry,
  type SessionRecord,
} from '../../projections/session.ts';
import { everyMinute, type Job, type JobContext } from '../job.ts';

/** So many at a time share one transaction of the writer. */
const batchSize = limits.batchCommandsMax;
const idlePageSize = 1_000;
const idlePagesPerRun = 100;

/**
 * Ends live sessions whose absolute life or idle time is over. Several workers give one event each:
 * the second meets the first one's version and finds nothing left to decide.
 */
export function expireSessions(): Job {
  let idleCursor: SessionExpiry = fromTheStart;
  return {
    name: 'sessions.expire',
    cron: everyMinute,
    atStart: true,
    run: async (context) => {
      const absolute = await endExpired(context);
      const idle = await endIdle(context, idleCursor);
      idleCursor = idle.cursor;
      if (absolute + idle.ended > 0) {
        context.log.info({ absolute, idle: idle.ended }, 'sessions ended by the clock');
      }
    },
  };
}

async function endExpired(context: JobContext): Promise<number> {
  const now = context.now();
  let ended = 0;
  let after = fromTheStart;
  while (!context.signal.aborted) {
    const found = await findExpiredSessions(context.records, { now, after, limit: batchSize });
    const endedNow = await expireAll(context, found, now);
    ended += endedNow;
    const last = found.at(-1);
    if (last === undefined) break;
    after = { expiresAt: last.state.expiresAt, sessionId: last.sessionId };
    // Nothing ended: another worker has taken them all.
    if (found.length < batchSize || endedNow === 0) break;
  }
  return ended;
}

const fromTheStart: SessionExpiry = {
  expiresAt: 0,
  sessionId: '00000000-0000-0000-0000-000000000000',
};

/**
 * No index knows when a session was last refreshed, as that would make every refresh dearer. So the
 * live ones are looked through, so many per run, from where the last run stopped.
 */
async function endIdle(
  context: JobContext,
  start: SessionExpiry,
): Promise<{ ended: number; cursor: SessionExpiry }> {
  const idleMs = context.config.sessionIdleSeconds * 1000;
  let cursor = start;
  let ended = 0;
  for (let page = 0; page < idlePagesPerRun && idleMs > 0; page += 1) {
    if (context.signal.aborted) break;
    const now = context.now();
    const found = await findIdleSessions(context, cursor, now - idleMs);
    for (let from = 0; from < found.sessionIds.length; from += batchSize) {
      const batch = found.sessionIds.slice(from, from + batchSize);
      ended += await expireAll(context, batch, now);
    }
    if (found.next === null) return { ended, cursor: fromTheStart };
    cursor = found.next;
  }
  return { ended, cursor };
}

async function findIdleSessions(
  { readers }: JobContext,
  after: SessionExpiry,
  refreshedUntil: number,
): Promise<{ sessionIds: string[]; next: SessionExpiry | null }> {
  const { rows } = await readers.query({
    name: 'find-idle-sessions',
    text: `with page as materialized (
        select session_id, expires_at, refreshed_at from latchkey.sessions
        where status = 'live' and (expires_at, session_id) > ($1, $2::uuid)
        order by expires_at, session_id limit $3)
      select expires_at, session_id, refreshed_at <= $4 as idle from page
      order by expires_at, session_id`,
    values: [
      toTimestamp(after.expiresAt),
      after.sessionId,
      idlePageSize,
      toTimestamp(refreshedUntil),
    ],
  });
  const last = rows.at(-1);
  return {
    sessionIds: rows.filter(({ idle }) => idle).map(({ session_id }) => session_id as string),
    next:
      last === undefined || rows.length < idlePageSize
        ? null
        : { expiresAt: fromTimestamp(last.expires_at), sessionId: last.session_id as string },
  };
}

async function expireAll(
  context: JobContext,
  sessions: readonly (SessionRecord | string)[],
  now: number,
): Promise<number> {
  const outcomes = await Promise.all(sessions.map((session) => expire(context, session, now)));
  const ended = outcomes.filter(Boolean).length;
  context.metrics.sessionsExpired.inc(ended);
  return ended;
}

/** Whether this call ended it. Given the record, the first try decides on it and saves a read. */
async function expire(
  { config, records, handler, meta }: JobContext,
  session: SessionRecord | string,
  now: number,
): Promise<boolean> {
  const sessionId = typeof session === 'string' ? session : session.sessionId;
  let known = typeof session === 'string' ? null : session;
  return handler.run(sessionId, async () => {
    const current = known ?? (await findSession(records, sessionId));
    known = null;
    const change =
      current === null
        ? null
        : changeSession(sessionId, current, {
            type: 'ExpireSession',
            now,
            idleSeconds: config.sessionIdleSeconds,
          });
    if (change === null || change.events.length === 0) {
      return { command: null, answer: () => false };
    }
    return {
      command: { commandId: newId(), meta, streams: [change.touch], rows: change.rows },
      answer: () => true,
    };
  });
}
