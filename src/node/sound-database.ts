import type { LogGuard } from '../eventlog/log-guard.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { checkDatabase, type DatabaseDemands } from '../eventlog/start-up-checks.ts';
import type { Pools } from '../platform/postgres/pool.ts';
import { requirePreparedStatements } from '../platform/postgres/pooler-check.ts';
import { requireSchema } from '../platform/postgres/required-schema.ts';
import { requireSameDatabase } from '../platform/postgres/same-database.ts';

/**
 * Refuses a database that a process could not work with, before it loads anything from it. `direct`:
 * the connection past a pooler, in a process that has one. Throws SchemaError, UnsafeDatabaseError,
 * ConfigError, LogIdentityError.
 */
export async function requireSoundDatabase(
  { readers, writers }: Pick<Pools, 'readers' | 'writers'>,
  guard: LogGuard,
  { direct, ...demands }: DatabaseDemands & { readonly direct?: Queryable },
): Promise<void> {
  await requireSchema(readers);
  await checkDatabase(readers, demands);
  if (direct !== undefined) await requireSameDatabase(readers, direct);
  await guard.check(readers);
  await requirePreparedStatements(writers);
}
