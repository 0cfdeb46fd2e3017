import type { Registry } from 'prom-client';
import { counter, histogram } from '../platform/metrics/registry.ts';
import type { WriterObserver } from './writer-options.ts';

const appendSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const batchSizes = [1, 2, 5, 10, 20, 50, 100];

/** Counts what a process appends itself, in `registry`. */
export function appendCounts(
  registry: Registry,
): Pick<WriterObserver, 'batch' | 'conflict' | 'appended'> {
  const appends = counter(registry, {
    name: 'latchkey_appends_total',
    help: 'Commands that this process appended to the event log',
  });
  const events = counter(registry, {
    name: 'latchkey_append_events_total',
    help: 'Events that this process appended, by stream kind',
    labels: ['kind'],
  });
  const conflicts = counter(registry, {
    name: 'latchkey_append_conflicts_total',
    help: 'Commands that met another version than they expected',
  });
  const batchCommands = histogram(registry, {
    name: 'latchkey_append_batch_commands',
    help: 'Commands that shared one transaction',
    buckets: batchSizes,
  });
  const duration = histogram(registry, {
    name: 'latchkey_append_duration_seconds',
    help: 'From handing a command to the writer until its commit',
    buckets: appendSeconds,
  });
  return {
    batch: (commands) => batchCommands.observe(commands),
    conflict: () => conflicts.inc(),
    appended: (command, seconds) => {
      appends.inc();
      duration.observe(seconds);
      for (const { kind, events: made } of command.streams) {
        if (made.length > 0) events.inc({ kind }, made.length);
      }
    },
  };
}
