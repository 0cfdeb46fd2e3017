import type { Registry } from 'prom-client';
import { counter } from '../platform/metrics/registry.ts';

/** What a process does about a row that it refuses to believe: an error in the log, and a count. */
export function refusedRowReport(
  registry: Registry,
  log: { error(fields: object, message: string): void },
): (table: string, id: string) => void {
  const refused = counter(registry, {
    name: 'latchkey_refused_rows_total',
    help: 'Rows that this process refused: another writer made them, or put an earlier one back',
    labels: ['table'],
  });
  return (table, id) => {
    refused.inc({ table });
    log.error({ table, row: id }, 'a row was refused: this service did not write it so');
  };
}
