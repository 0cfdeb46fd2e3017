import { type DeviceType, deviceTypes } from '@latchkey/contract/device-type';
import { limits } from '../../domain/kernel/limits.ts';
import { lifetimesFor } from '../../domain/session/lifetimes.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { changeSession } from '../../tables/change.ts';
import { fromTimestamp, toTimestamp } from '../../tables/columns.ts';
import {
  findExpiredSessions,
  findSession,
  type SessionExpiry,
  type SessionRecord,
} from '../../tables/session.ts';
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
  let cursor: SessionExpiry = fromTheStart;
  // A life that was made shorter since their login ends sessions early. It changes with a restart
  // only, so one pass over the live sessions finds them all.
  let isFirstPass = true;
  return {
    name: 'sessions.expire',
    cron: everyMinute,
    atStart: true,
    run: async (context) => {
      const absolute = await endExpired(context);
      if (context.config.sessionIdleSeconds === 0 && !isFirstPass) {
        logEnded(context, { absolute, idle: 0 });
        return;
      }
      const early = await endEarly(context, cursor);
      cursor = early.cursor;
      if (cursor === fromTheStart) isFirstPass = false;
      logEnded(context, { absolute, idle: early.ended });
    },
  };
}

function logEnded({ log }: JobContext, ended: { absolute: number; idle: number }): void {
  if (ended.absolute + ended.idle > 0) log.info(ended, 'sessions ended by the clock');
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
 * Ends sessions that are idle, or older than the life configured now. No index knows when a session
 * was last refreshed, as that would make every refresh dearer. So the live ones are looked through, so many per run, from where the last run stopped.
 */
async function endEarly(
  context: JobContext,
  start: SessionExpiry,
): Promise<{ ended: number; cursor: SessionExpiry }> {
  let cursor = start;
  let ended = 0;
  for (let page = 0; page < idlePagesPerRun; page += 1) {
    if (context.signal.aborted) break;
    const now = context.now();
    const found = await findEarlySessions(context, cursor, now);
    for (let from = 0; from < found.sessionIds.length; from += batchSize) {
      const batch = found.sessionIds.slice(from, from + batchSize);
      ended += await expireAll(context, batch, now);
    }
    if (found.next === null) return { ended, cursor: fromTheStart };
    cursor = found.next;
  }
  return { ended, cursor };
}

async function findEarlySessions(
  { readers, config }: JobContext,
  after: SessionExpiry,
  now: number,
): Promise<{ sessionIds: string[]; next: SessionExpiry | null }> {
  const idleMs = config.sessionIdleSeconds * 1000;
  const refreshedUntil = idleMs === 0 ? 0 : now - idleMs;
  const startedUntil = deviceTypes.map((type) =>
    toTimestamp(now - ttlSecondsOf(config, type) * 1000),
  );
  const { rows } = await readers.query({
    name: 'find-early-sessions',
    text: `with page as materialized (
        select session_id, expires_at, refreshed_at, started_at, device_type, secret_hash from latchkey.sessions
        where status = 'live' and (expires_at, session_id) > ($1, $2::uuid)
        order by expires_at, session_id limit $3)
      select expires_at, session_id, refreshed_at <= $4 or (secret_hash is not null
          and started_at <= ($6::timestamptz[])[array_position($5::text[], device_type)]) as early
      from page order by expires_at, session_id`,
    values: [
      toTimestamp(after.expiresAt),
      after.sessionId,
      idlePageSize,
      toTimestamp(refreshedUntil),
      deviceTypes,
      startedUntil,
    ],
  });
  const last = rows.at(-1);
  return {
    sessionIds: rows.filter(({ early }) => early).map(({ session_id }) => session_id as string),
    next:
      last === undefined || rows.length < idlePageSize
        ? null
        : { expiresAt: fromTimestamp(last.expires_at), sessionId: last.session_id as string },
  };
}

function ttlSecondsOf(config: JobContext['config'], deviceType: DeviceType): number {
  return lifetimesFor(deviceType, config.lifetimeProfile, config).sessionTtlSeconds;
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
            sessionTtlSeconds: ttlSecondsOf(config, current.state.deviceType),
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
