import {
  expireEarlySessions,
  expireOverdueSessions,
  fromTheStart,
} from '../../app/session/expire-sessions.ts';
import type { SessionExpiry } from '../../tables/session.ts';
import { everyMinute, type Job, type JobContext, withinMinutes } from '../job.ts';

/**
 * Ends live sessions whose absolute life or idle time is over. Several workers give one event each:
 * the second meets the first one's version and finds nothing left to decide. Each run goes on where
 * the last one stopped looking for idle sessions.
 */
export function expireSessions(): Job {
  let cursor = fromTheStart;
  // A life that was made shorter since their login ends sessions early. It changes with a restart
  // only, so one pass over the live sessions finds them all.
  let isFirstPass = true;
  const onPassed = (place: SessionExpiry) => {
    cursor = place;
    if (place === fromTheStart) isFirstPass = false;
  };
  return {
    name: 'sessions.expire',
    cron: everyMinute,
    atStart: true,
    run: async (context) => {
      const { by } = context;
      const ended = { absolute: 0, idle: 0 };
      const overdue = sweep(context, ended, 'absolute');
      const sweeps = [expireOverdueSessions(context, { ...overdue, after: fromTheStart }, by)];
      await Promise.allSettled(sweeps);
      if (context.config.sessions.idleSeconds > 0 || isFirstPass) {
        const early = sweep(context, ended, 'idle');
        sweeps.push(expireEarlySessions(context, { ...early, after: cursor, onPassed }, by));
        await Promise.allSettled(sweeps);
      }
      if (ended.absolute + ended.idle > 0) context.log.info(ended, 'sessions ended by the clock');
      // A session that could not be ended in the first sweep must not keep the second one away.
      await Promise.all(sweeps);
    },
  };
}

/** Of one kind of end: a run ends well before the queue takes it for one that hangs. */
const runMinutesMax = 10;

/** Counts what it ends, for the metrics at once and for the log line of the run. */
function sweep<C extends string>(
  { readers, metrics, signal }: JobContext,
  ended: Record<C, number>,
  cause: C,
) {
  const onEnded = (count: number) => {
    ended[cause] += count;
    metrics.sessionsExpired.inc(count);
  };
  return { readers, signal: withinMinutes(runMinutesMax, signal), onEnded };
}
