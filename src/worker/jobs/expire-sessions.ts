import { type DeviceType, deviceTypes } from '@latchkey/contract/device-type';
import { expireSession } from '../../app/session/expire-session.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { idleSecondsFor, lifetimesFor } from '../../domain/session/lifetimes.ts';
import {
  type EarlyEnd,
  findEarlySessions,
  findExpiredSessions,
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
      if (context.config.sessions.idleSeconds === 0 && !isFirstPass) {
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
    const found = await findExpiredSessions(context.readers, { now, after, limit: batchSize });
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
 * was last refreshed, as that would make every refresh dearer. So each run looks through so many of
 * the live ones, from where the last run stopped.
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
    const found = await findEarlySessions(context.readers, {
      after: cursor,
      limit: idlePageSize,
      ends: deviceTypes.map((type) => earlyEnd(context, type, now)),
    });
    for (let from = 0; from < found.sessionIds.length; from += batchSize) {
      const batch = found.sessionIds.slice(from, from + batchSize);
      ended += await expireAll(context, batch, now);
    }
    if (found.next === null) return { ended, cursor: fromTheStart };
    cursor = found.next;
  }
  return { ended, cursor };
}

async function expireAll(
  context: JobContext,
  sessions: readonly (SessionRecord | string)[],
  now: number,
): Promise<number> {
  const outcomes = await Promise.all(
    sessions.map((session) => expireSession(context, { session, now }, context.by)),
  );
  const ended = outcomes.filter(Boolean).length;
  context.metrics.sessionsExpired.inc(ended);
  return ended;
}

function earlyEnd({ config }: JobContext, deviceType: DeviceType, now: number): EarlyEnd {
  const { sessions, lifetimes } = config;
  const idleSeconds = idleSecondsFor(deviceType, sessions.idleSeconds, lifetimes);
  const { sessionTtlSeconds } = lifetimesFor(deviceType, lifetimes);
  return {
    deviceType,
    refreshedUntil: idleSeconds === 0 ? 0 : now - idleSeconds * 1000,
    startedUntil: now - sessionTtlSeconds * 1000,
  };
}
