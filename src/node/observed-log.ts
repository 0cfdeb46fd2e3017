import type { Command } from '../eventlog/command.ts';
import type { LogGuard } from '../eventlog/log-guard.ts';
import { appendCounts } from '../eventlog/metrics.ts';
import { openLog } from '../eventlog/open-log.ts';
import { type RecordSeal, sealedReaders } from '../eventlog/record-seal.ts';
import type { WriterObserver } from '../eventlog/writer-options.ts';
import type { Logger } from '../platform/logging/logging.ts';
import type { Pools } from '../platform/postgres/pool.ts';
import { AppendProbe } from './append-probe.ts';
import { applyRevocations } from './applied-revocations.ts';
import { type Cells, oneCell } from './cell.ts';
import type { NodeMetrics } from './metrics.ts';
import type { NodeMemory } from './node-memory.ts';
import type { NotableEvents } from './notable-events.ts';

interface LogParts {
  readonly memory: NodeMemory;
  readonly guard: LogGuard;
  readonly seal: RecordSeal;
  readonly metrics: NodeMetrics;
  readonly log: Logger;
  readonly notableEvents: NotableEvents;
  /** Called for each command that was committed; must not throw. */
  readonly onAppended?: (command: Command) => void;
}

/**
 * The one cell of an API process: its log is counted, watched, and told to this node's memory at once.
 * The guard has accepted the log.
 */
export function openObservedLog(
  pools: Pools,
  { memory, guard, seal, metrics, log, notableEvents, onAppended }: LogParts,
): { readonly cells: Cells; readonly appendProbe: AppendProbe } {
  const appendProbe = new AppendProbe(log);
  const { handler, appender } = openLog(pools, guard, {
    seal,
    onAppended: (command) => {
      applyRevocations(memory, command);
      onAppended?.(command);
    },
    observer: observerOf({ metrics, notableEvents, log }, appendProbe),
  });
  appendProbe.use(appender);
  const readers = sealedReaders(pools.readers, seal);
  return { cells: oneCell({ logId: guard.logId, readers, handler }), appendProbe };
}

function observerOf(
  { metrics, notableEvents, log }: Pick<LogParts, 'metrics' | 'notableEvents' | 'log'>,
  probe: AppendProbe,
): WriterObserver {
  const counts = appendCounts(metrics.registry);
  return {
    batch: (commands) => {
      probe.appended();
      counts.batch(commands);
    },
    conflict: () => counts.conflict(),
    failed: () => probe.failed(),
    hookFailed: (error) => log.error({ err: error }, 'a revocation could not be applied at once'),
    appended: (command, seconds) => {
      counts.appended(command, seconds);
      notableEvents.appended(command);
    },
  };
}
