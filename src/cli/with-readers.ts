import type { Config } from '../node/config.ts';
import { createLogger, type Logger } from '../platform/logging/logging.ts';
import { createPools, type PostgresPool } from '../platform/postgres/pool.ts';
import { untilAnswered } from '../platform/postgres/while-unavailable.ts';
import { endOnSignal } from './shutdown.ts';

interface Command {
  readonly config: Pick<Config, 'logging'>;
  readonly databaseUrl: string;
  /** In the log and in `pg_stat_activity`, such as `latchkey jobs`. */
  readonly name: string;
}

/**
 * Runs one command of an operator on connections of its own, which it closes in any case. A signal
 * ends it at once, also as process 1.
 */
export async function withReaders<T>(
  { config, databaseUrl, name }: Command,
  work: (readers: PostgresPool, log: Logger) => Promise<T>,
): Promise<T> {
  endOnSignal();
  const log = createLogger({ level: config.logging.level, name });
  const pools = createPools({ databaseUrl, readers: 1, applicationName: name, logger: log });
  try {
    await untilAnswered(() => pools.readers.query('select 1'), log);
    return await work(pools.readers, log);
  } finally {
    await pools.end();
  }
}
