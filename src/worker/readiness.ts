import type { Queryable } from '../eventlog/queryable.ts';
import type { Readiness } from '../platform/metrics/operator-server.ts';
import { requireSchema, SchemaError } from '../platform/postgres/required-schema.ts';

/** Whether a worker can do its jobs: a database of this release that can be written. */
export async function workerReadiness(
  readers: Queryable,
  { draining }: { readonly draining: boolean },
): Promise<Readiness> {
  const failing = [...(draining ? ['draining'] : []), ...(await failingOf(readers))];
  return { ready: failing.length === 0, failing };
}

async function failingOf(readers: Queryable): Promise<string[]> {
  try {
    await requireSchema(readers);
    const { rows } = await readers.query({
      text: `select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as read_only`,
    });
    return rows[0]!.read_only === true ? ['database_read_only'] : [];
  } catch (error) {
    return [error instanceof SchemaError ? 'schema' : 'database'];
  }
}
