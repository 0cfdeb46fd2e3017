import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiProcess, startApiProcess } from '../support/api-process.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../support/postgres.ts';

let database: TestDatabase;
let node: ApiProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  node = await startApiProcess(database.appUrl, { LEASE_SECONDS: '2' });
});
afterAll(async () => {
  await node.stop();
  await database.drop();
});

const owner = (...statements: string[]) =>
  withClient(database.ownerUrl, async (client) => {
    await client.query('set default_transaction_read_only = off');
    for (const statement of statements) await client.query(statement);
  });
const endConnections = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid()`;
const readiness = async () => {
  const response = await fetch(`${node.url}/readyz`);
  await response.arrayBuffer();
  return response.status;
};
const patience = { timeout: 15_000, interval: 50 };
const logged = (text: string) => node.lines.filter((line) => line.includes(text)).length;

describe('the revocation poll', () => {
  // Fails when an error that is no loss of the connection leaves the session in use, and when only
  // the first failure of a row is logged.
  it('F12: recovers from a read-only window, and logs each kind of failure', async () => {
    await owner(
      `alter database ${database.name} set default_transaction_read_only = on`,
      endConnections,
    );
    await expect.poll(() => logged('not a writable primary'), patience).toBe(1);
    await expect.poll(readiness, patience).toBe(503);

    await owner(`revoke connect on database ${database.name} from public`, endConnections);
    await expect.poll(() => logged('permission denied for database'), patience).toBeGreaterThan(0);

    await owner(
      `grant connect on database ${database.name} to public`,
      `alter database ${database.name} reset default_transaction_read_only`,
    );
    await expect.poll(readiness, patience).toBe(200);
    await expect.poll(() => logged('revocation poll recovered'), patience).toBe(1);
  });
});
