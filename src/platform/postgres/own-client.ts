import pg from 'pg';
import { cut, endPolitely } from './connection.ts';
import { toUnavailable } from './errors.ts';

/** Who works on a connection of its own can wait longer for it than a request can. */
export const contactTimeoutMs = 3_000;

interface OwnClientOptions {
  readonly url: string;
  readonly applicationName: string;
  /** For each statement; by default a statement may take as long as it needs. */
  readonly statementTimeoutMs?: number;
}

/**
 * A connected client, for work that needs a session of its own and no limit on its statements; a
 * statement that is under way rejects when the connection is lost. Throws LatchkeyError
 * `unavailable` when the server is not there or does not answer in `contactTimeoutMs`.
 */
export async function connectOwnClient(options: OwnClientOptions): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: options.url,
    application_name: options.applicationName,
    connectionTimeoutMillis: contactTimeoutMs,
    query_timeout: options.statementTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return client;
  } catch (error) {
    cut(client);
    throw toUnavailable(error);
  }
}

/** Runs a few short statements on a connection that is closed afterwards. Throws as they do. */
export async function withOwnClient<T>(
  options: Omit<OwnClientOptions, 'statementTimeoutMs'>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connectOwnClient({ ...options, statementTimeoutMs: contactTimeoutMs });
  try {
    return await work(client);
  } finally {
    await endPolitely(client);
  }
}
