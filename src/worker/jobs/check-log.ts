import { checkNewEvents, type LogCheck } from '../../eventlog/log-check.ts';
import { checkWholeLog } from '../../eventlog/whole-log-check.ts';
import { everyMinute, type Job, type JobContext } from '../job.ts';

const timeoutMs = 240_000;
const wholeBudgetMs = 50 * 60_000;
const nightly = '17 3 * * *';

/** Damage to the log makes this job fail, minute after minute, until somebody has seen to it. */
export const checkLog: Job = {
  name: 'log.check',
  cron: everyMinute,
  atStart: true,
  run: async (context) => {
    const check = await context.pool.use(
      (client) => checkNewEvents(client, { signal: context.signal }),
      { timeoutMs },
    );
    report(context, 'new', check);
  },
};

/** Finds what was damaged after `checkLog` had passed. */
export const checkLogWhole: Job = {
  name: 'log.check-whole',
  cron: nightly,
  atStart: false,
  run: async (context) => {
    const { complete, countInRound, ...check } = await context.pool.use(
      (client) => checkWholeLog(client, { signal: context.signal, budgetMs: wholeBudgetMs }),
      { timeoutMs: wholeBudgetMs + timeoutMs },
    );
    if (complete) context.metrics.wholeLogChecked.setToCurrentTime();
    else {
      const { checked } = check;
      context.log.warn({ checked }, 'the whole log was not checked in time; the next run goes on');
    }
    report(context, 'whole', { ...check, count: countInRound });
  },
};

function report({ log, metrics }: JobContext, scope: string, check: LogCheck): void {
  metrics.logCheckFindings.set({ scope }, check.count);
  if (check.count === 0) return;
  for (const finding of check.findings) log.error({ finding }, 'the event log is damaged');
  throw new Error(`the log check found ${check.count} problems`);
}
