import { Counter, type Registry } from 'prom-client';

const name = 'latchkey_refused_rows_total';

/**
 * What a process does about a row that it refuses to believe: an error in the log, and a count.
 * The two parts of one process share the counter.
 */
export function refusedRowReport(
  registry: Registry,
  log: { error(fields: object, message: string): void },
): (table: string, id: string) => void {
  const counter =
    (registry.getSingleMetric(name) as Counter<'table'> | undefined) ??
    new Counter({
      name,
      help: 'Rows that this process refused: another writer made them, or put an earlier one back',
      labelNames: ['table'],
      registers: [registry],
    });
  return (table, id) => {
    counter.inc({ table });
    log.error({ table, row: id }, 'a row was refused: this service did not write it so');
  };
}
