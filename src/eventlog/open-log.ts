import { CommitBreaker } from './commit-breaker.ts';
import { Confirmation } from './confirm.ts';
import { CommandHandler } from './handle.ts';
import type { LogGuard } from './log-guard.ts';
import type { Queryable } from './queryable.ts';
import { Writer } from './writer.ts';
import type { WriterOptions } from './writer-options.ts';

export interface OpenLog {
  readonly handler: CommandHandler;
  /** For what goes the way of an append and is none. */
  readonly appender: Queryable;
}

/**
 * How a process of the product works with the log: two lanes and the read-backs behind one commit
 * breaker, every appended command noted by the guard, nothing done on a log that the guard refuses.
 */
export function openLog(
  pools: { readonly writers: Queryable; readonly readers: Queryable },
  guard: LogGuard,
  { seal, onAppended, observer }: Pick<WriterOptions, 'seal' | 'onAppended' | 'observer'>,
): OpenLog {
  const breaker = new CommitBreaker(pools.readers);
  const appender = breaker.guard(pools.writers);
  const confirmer = breaker.guard(pools.readers);
  const writer = new Writer({
    lanes: [appender, appender],
    readers: confirmer,
    seal,
    onAppended: (command, appended) => {
      guard.sightings.noteAppended(command, appended);
      onAppended?.(command, appended);
    },
    ...(observer === undefined ? {} : { observer }),
  });
  const confirmation = new Confirmation(confirmer);
  const handler = new CommandHandler(writer, {
    requireLog: () => guard.require(),
    confirm: () => confirmation.confirm(),
  });
  return { handler, appender };
}
