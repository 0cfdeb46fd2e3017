import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import type { Command } from '../../src/eventlog/command.ts';
import { appendCounts } from '../../src/eventlog/metrics.ts';

// Fails when a guard counts as an event, or a command by its events.
it('what a process appends is counted: commands, events by kind, conflicts, times', async () => {
  const registry = new Registry();
  const counts = appendCounts(registry);
  const streams = [
    { kind: 'session', events: [{}, {}] },
    { kind: 'user', events: [] },
  ];
  counts.appended!({ streams } as unknown as Command, 0.004);
  counts.appended!({ streams } as unknown as Command, 0.2);
  counts.batch!(7);
  counts.conflict!();
  const text = await registry.metrics();
  expect(text.split('\n')).toEqual(
    expect.arrayContaining([
      'latchkey_appends_total 2',
      'latchkey_append_events_total{kind="session"} 4',
      'latchkey_append_conflicts_total 1',
      'latchkey_append_batch_commands_bucket{le="5"} 0',
      'latchkey_append_batch_commands_bucket{le="10"} 1',
      'latchkey_append_duration_seconds_bucket{le="0.0025"} 0',
      'latchkey_append_duration_seconds_bucket{le="0.005"} 1',
      'latchkey_append_duration_seconds_bucket{le="0.25"} 2',
      'latchkey_append_duration_seconds_count 2',
    ]),
  );
  expect(text).not.toContain('kind="user"');
});
