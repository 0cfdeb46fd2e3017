import type { Queryable } from '../eventlog/queryable.ts';
import { endPolitely } from '../platform/postgres/connection.ts';
import { connectOwnClient } from '../platform/postgres/own-client.ts';

export interface LeaderConnection {
  readonly client: Queryable;
  close(): Promise<void>;
}

/** Its statements read a page of the log: one that takes longer hangs. */
const statementMs = 10_000;

/**
 * A connection that may lead a consumer and read the log. `url` leads past any pooler: the
 * leader's lock is the session's. Throws LatchkeyError `unavailable`.
 */
export async function connectLeader(
  url: string,
  applicationName: string,
): Promise<LeaderConnection> {
  const options = { url, applicationName, statementTimeoutMs: statementMs };
  const client = await connectOwnClient(options);
  return { client, close: () => endPolitely(client) };
}
