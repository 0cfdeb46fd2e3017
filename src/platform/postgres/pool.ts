import pg from 'pg';
import {
  acquireTimeoutMs,
  type ConnectionOptions,
  clientConfig,
  createDedicatedConnection,
  cut,
  type DedicatedConnection,
  useTimeoutMs,
} from './connection.ts';
import { toUnavailable } from './errors.ts';

export interface UseOptions {
  /** Covers all of it: waiting for a connection, every statement, the commit. Default 1,500 ms. */
  readonly timeoutMs?: number;
}

/**
 * A pool whose callers never hang: each use has a deadline, at which its connection is cut. Errors
 * of the connection come out as LatchkeyError `unavailable` (their `cause` is Postgres' own), all
 * others unchanged. It needs no reset.
 */
export interface PostgresPool {
  /** One statement on any connection. */
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string | pg.QueryConfig,
    values?: unknown[],
  ): Promise<pg.QueryResult<R>>;
  /**
   * Several statements on one connection. A transaction that `work` leaves open is rolled back by
   * the cut.
   */
  use<T>(work: (client: pg.PoolClient) => Promise<T>, options?: UseOptions): Promise<T>;
  /** `work` between BEGIN and COMMIT; rolled back when it throws. */
  transaction<T>(work: (client: pg.PoolClient) => Promise<T>, options?: UseOptions): Promise<T>;
  counts(): { total: number; idle: number; waiting: number };
  /** Waits for what is in use. Safe to call twice. */
  end(): Promise<void>;
}

export interface Pools {
  /** Two connections, for appends only. */
  readonly writers: PostgresPool;
  readonly readers: PostgresPool;
  /** Past any pooler; each statement ends after `shortStatementMs`. Null unless asked for. */
  readonly short: PostgresPool | null;
  /**
   * A connection of its own past any pooler, for the log's tail or for session locks. Close it
   * yourself.
   */
  dedicated(applicationName: string): DedicatedConnection;
  end(): Promise<void>;
}

export interface PoolsOptions {
  readonly databaseUrl: string;
  /** Default: `databaseUrl`. */
  readonly directUrl?: string;
  readonly readers: number;
  /** Connections of `short`. Default: 0. */
  readonly short?: number;
  /** Shown in pg_stat_activity, for example `latchkey serve`. */
  readonly applicationName: string;
  readonly logger: { warn(fields: object, message: string): void };
  /** Run on each new connection of the writers before anything else; its rejection refuses it. */
  readonly onWriterConnect?: (client: pg.ClientBase) => Promise<void>;
}

export const writerConnections = 2;
const shortStatementMs = 50;

/** Opens no connection before the first use. */
export function createPools(options: PoolsOptions): Pools {
  const onIdleError = (error: Error) => {
    options.logger.warn({ err: error }, 'an idle Postgres connection was lost');
  };
  const { databaseUrl, directUrl = databaseUrl, short = 0 } = options;
  const pool = (
    max: number,
    purpose: string,
    idleTimeoutMillis: number,
    {
      url = databaseUrl,
      onConnect,
    }: { readonly url?: string; readonly onConnect?: OnConnect } = {},
  ) =>
    createPool({
      ...(onConnect === undefined ? {} : { onConnect }),
      url,
      applicationName: `${options.applicationName} ${purpose}`,
      onIdleError,
      max,
      idleTimeoutMillis,
    });
  const { onWriterConnect } = options;
  const writers = pool(writerConnections, 'writer', 0, {
    ...(onWriterConnect === undefined ? {} : { onConnect: onWriterConnect }),
  });
  const readers = pool(options.readers, 'reader', 60_000);
  const shorts =
    short === 0 ? null : pool(short, 'short', 0, { url: directUrl, onConnect: limitStatements });
  return {
    writers,
    readers,
    short: shorts,
    dedicated: (applicationName) =>
      createDedicatedConnection({
        url: directUrl,
        applicationName,
        onIdleError,
      }),
    end: async () => {
      await Promise.all([writers.end(), readers.end(), shorts?.end()]);
    },
  };
}

/** Of the session: behind a transaction pooler it would be everybody's. */
const limitStatements: OnConnect = async (client) => {
  await client.query(`set statement_timeout = ${shortStatementMs}`);
};

type OnConnect = (client: pg.ClientBase) => Promise<void>;

/** `idleTimeoutMillis` 0: connections stay. */
function createPool(
  options: ConnectionOptions & {
    readonly max: number;
    readonly idleTimeoutMillis: number;
    readonly onConnect?: OnConnect;
  },
): PostgresPool {
  const { onConnect } = options;
  const pool = new pg.Pool({
    ...clientConfig(options),
    ...(onConnect === undefined ? {} : { onConnect: cutWhenLate(onConnect) }),
    max: options.max,
    idleTimeoutMillis: options.idleTimeoutMillis,
    connectionTimeoutMillis: acquireTimeoutMs,
  });
  pool.on('error', options.onIdleError);
  let ending: Promise<void> | undefined;

  const use: PostgresPool['use'] = async (work, { timeoutMs = useTimeoutMs } = {}) => {
    const deadline = performance.now() + timeoutMs;
    const client = await pool.connect().catch((error) => {
      throw toUnavailable(error);
    });
    // A connection that breaks while `work` does something else must not crash the process; the
    // next statement fails.
    const ignore = () => {};
    client.on('error', ignore);
    const timer = setTimeout(() => cut(client), deadline - performance.now());
    let broken = false;
    try {
      return await work(client);
    } catch (error) {
      const mapped = toUnavailable(error);
      broken = mapped !== error;
      throw mapped;
    } finally {
      clearTimeout(timer);
      client.off('error', ignore);
      const isIdle = client.getTransactionStatus() === 'I';
      if (broken || !isIdle) cut(client);
      client.release(broken || !isIdle);
    }
  };
  return {
    use,
    query: (text, values) => use((client) => client.query(text as string, values)),
    transaction: (work, useOptions) => use((client) => inTransaction(client, work), useOptions),
    counts: () => ({
      total: pool.totalCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
    }),
    end: () => {
      ending ??= pool.end();
      return ending;
    },
  };
}

/** The driver sets no limit to what is done on a new connection. */
function cutWhenLate(onConnect: OnConnect): OnConnect {
  return async (client) => {
    const timer = setTimeout(() => cut(client), acquireTimeoutMs);
    try {
      await onConnect(client);
    } finally {
      clearTimeout(timer);
    }
  };
}

async function inTransaction<T>(
  client: pg.PoolClient,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  await client.query('begin');
  try {
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    // What went wrong is the first error; a connection that is gone has rolled back by itself.
    await client.query('rollback').catch(() => {});
    throw error;
  }
}
