import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import {
  type FaultNode,
  faultPassword,
  logIn,
  registerUser,
  startFaultNode,
  until,
  verifyStatus,
} from '../support/fault-node.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../support/postgres.ts';
import { openConnection } from '../support/raw-connection.ts';

let database: TestDatabase;
const running: FaultNode[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  for (const node of running.splice(0)) await node.kill9();
});
afterAll(() => database.drop());

async function startNode(options: { reusePort?: boolean; port?: number } = {}): Promise<FaultNode> {
  const { reusePort = false, port = 0 } = options;
  const node = await startFaultNode({
    databaseUrl: database.appUrl,
    reusePort,
    env: { PORT: String(port) },
  });
  running.push(node);
  return node;
}

async function connects(node: FaultNode): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const { connect } = await import('node:net');
  const socket = connect(node.port, '127.0.0.1', () => resolve(true));
  socket.on('error', () => resolve(false));
  const connected = await promise;
  socket.destroy();
  return connected;
}

it('given SIGTERM during a login, the login is answered, nobody new is let in, and the exit code is 0', async () => {
  const node = await startNode();
  const email = 'ada@example.com';
  await registerUser(node, email);
  const holder = new pg.Client({ connectionString: database.ownerUrl });
  await holder.connect();
  await holder.query('begin; select 1 from latchkey.streams where kind = 1 for update');
  const underWay = logIn(node, email);
  // Its second try waits for the held stream inside Postgres.
  await until(
    async () => {
      const { rows } = await withClient(database.ownerUrl, (client) =>
        client.query(`select 1 from pg_stat_activity where datname = current_database()
        and application_name like '% writer' and wait_event_type = 'Lock'`),
      );
      return rows.length > 0;
    },
    1_000,
    1,
  );
  const exit = node.terminate();
  await until(async () => !(await connects(node)), 500, 1);
  await holder.query('commit');
  await holder.end();
  expect(await underWay).toHaveProperty('access_token');
  expect(await exit).toBe(0);
});

// Fails when the drain cuts idle connections at once, or when an answer of either lane keeps its
// connection.
it('C9: given SIGTERM beside 32 keep-alive clients, it resets none of them', async () => {
  const node = await startNode();
  const email = 'eve@example.com';
  await registerUser(node, email);
  const { access_token: token } = await logIn(node, email);
  const bearer = `Host: x\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  const paths = ['/auth/verify', '/auth/forward/x', '/auth/jwks', '/auth/me'];
  let answers = 0;
  /** Asks and asks, until an answer says that the connection closes. */
  const client = async (path: string) => {
    const connection = await openConnection(node.port);
    for (;;) {
      connection.send(`GET ${path} HTTP/1.1\r\n${bearer}`);
      const answer = await connection.answer();
      answers += 1;
      if (answer?.header('connection') === 'keep-alive') continue;
      return { status: answer?.status, ...(await connection.closed) };
    }
  };
  const clients = Array.from({ length: 32 }, (_, count) => client(paths[count % 8] ?? paths[0]!));
  await until(async () => answers > 1_000, 20_000);
  const exit = node.terminate();
  for (const ended of await Promise.all(clients)) {
    expect([200, 204]).toContain(ended.status);
    expect(ended.reset).toBe(false);
  }
  expect(await exit).toBe(0);
});

it('given two processes on one port, either serves alone when the other drains', async () => {
  const first = await startNode({ reusePort: true });
  const second = await startNode({ reusePort: true, port: first.port });
  expect(second.port).toBe(first.port);
  expect(second.pid).not.toBe(first.pid);
  const email = 'bob@example.com';
  await registerUser(first, email);
  const { access_token: token } = await logIn(first, email);
  const statuses = await Promise.all(Array.from({ length: 40 }, () => verifyStatus(first, token)));
  expect(new Set(statuses)).toEqual(new Set([204]));
  expect(await first.terminate()).toBe(0);
  const credentials = { email, password: faultPassword };
  for (let n = 0; n < 10; n += 1) {
    // A keep-alive connection of the one that left may break once; a new one meets the other.
    const login = () => second.call('POST', '/auth/login', { body: credentials });
    expect((await login().catch(login)).status).toBe(200);
  }
  expect(await second.terminate()).toBe(0);
});

it('given a port that is taken, a process without --reuse-port says so and ends', async () => {
  const node = await startNode();
  await expect(startNode({ port: node.port })).rejects.toThrow('EADDRINUSE');
});
