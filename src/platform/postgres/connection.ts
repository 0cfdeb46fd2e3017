import pg from 'pg';
import { toUnavailable } from './errors.ts';
import { safeInteger } from './safe-integer.ts';

/**
 * Nothing that a caller waits for may hang longer, be it the connection, one statement or a whole
 * transaction.
 */
export const useTimeoutMs = 1500;
export const acquireTimeoutMs = 1000;

export interface ConnectionOptions {
  readonly url: string;
  readonly applicationName: string;
  /** A connection broke while nobody used it; the next use makes a new one. */
  readonly onIdleError: (error: Error) => void;
}

const int8 = 20;

const types: pg.CustomTypesConfig = {
  getTypeParser: ((id: number, format?: 'text' | 'binary') =>
    id === int8 && format !== 'binary'
      ? safeInteger
      : pg.types.getTypeParser(id, format as 'text')) as typeof pg.types.getTypeParser,
};

/** No start-up option but the name: PgBouncer refuses them. Time limits are set on the role. */
export function clientConfig(options: ConnectionOptions): pg.ClientConfig {
  return {
    connectionString: options.url,
    application_name: options.applicationName,
    connectionTimeoutMillis: acquireTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types,
  };
}

/**
 * Cuts the connection, so that every statement on it fails now. A server that hangs answers no
 * polite request.
 */
export function cut(client: pg.ClientBase): void {
  (
    client as unknown as { connection: { stream: { destroy(): void } } }
  ).connection.stream.destroy();
}

/**
 * A connection of its own, outside every pool, that comes back by itself. Use it from one caller at
 * a time.
 */
export interface DedicatedConnection {
  /**
   * Runs `work`; connects first when there is no connection. Throws LatchkeyError `unavailable`
   * when the server is gone or does not answer in time. Any error drops the connection.
   */
  use<T>(work: (client: pg.Client) => Promise<T>, options?: { timeoutMs?: number }): Promise<T>;
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string | pg.QueryConfig,
    values?: unknown[],
  ): Promise<pg.QueryResult<R>>;
  /** Grows with every new connection: what was learnt on an earlier one may no longer hold. */
  readonly generation: number;
  close(): Promise<void>;
}

/** Creates the connection lazily: the first use connects. */
export function createDedicatedConnection(options: ConnectionOptions): DedicatedConnection {
  let current: pg.Client | undefined;
  let generation = 0;
  let closed = false;

  const drop = (client: pg.Client) => {
    if (current === client) current = undefined;
    cut(client);
  };
  const connect = async () => {
    if (closed) throw new Error('Client was closed and is not queryable');
    const client = new pg.Client(clientConfig(options));
    client.on('error', (error) => {
      if (current === client) options.onIdleError(error);
      drop(client);
    });
    client.on('end', () => {
      if (current === client) current = undefined;
    });
    try {
      await client.connect();
    } catch (error) {
      cut(client);
      throw error;
    }
    current = client;
    generation += 1;
    return client;
  };
  const use = async <T>(
    work: (client: pg.Client) => Promise<T>,
    { timeoutMs = useTimeoutMs } = {},
  ): Promise<T> => {
    let client = current;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      if (client !== undefined) drop(client);
    }, timeoutMs);
    try {
      client ??= await connect();
      if (isLate) {
        throw Object.assign(new Error('connected after the deadline'), { code: 'ETIMEDOUT' });
      }
      return await work(client);
    } catch (error) {
      // After any error: a session can be wrong in ways that no code tells, such as one that began
      // while the database was read-only.
      if (client !== undefined) drop(client);
      throw toUnavailable(error);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    use,
    query: (text, values) => use((client) => client.query(text as string, values)),
    get generation() {
      return generation;
    },
    close: async () => {
      closed = true;
      if (current !== undefined) await endPolitely(current);
    },
  };
}

/** Says good-bye, but waits no second for an answer. */
export async function endPolitely(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => cut(client), 500);
  try {
    await client.end();
  } finally {
    clearTimeout(timer);
  }
}
