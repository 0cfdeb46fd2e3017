import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createPools, type Pools } from '../../../src/platform/postgres/pool.ts';
import { silentLogger } from '../../support/cluster.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../../support/postgres.ts';
import { withinOwnTime } from '../../support/process-clock.ts';

let postgres: PrivatePostgres;
let pools: Pools;

beforeAll(async () => {
  postgres = await startPrivatePostgres();
}, 60_000);
afterAll(() => postgres.remove());
afterEach(() => pools.end());

function open(databaseUrl: string): Pools {
  return createPools({ databaseUrl, readers: 2, applicationName: 'test', logger: silentLogger });
}

/** Every way to the server, tried at the same moment, is refused as unavailable within two seconds. */
async function expectRefusalsInTime(tail: ReturnType<Pools['dedicated']>): Promise<void> {
  const attempts = [
    pools.readers.query('select 1'),
    pools.readers.query('select 1'),
    pools.readers.query('select 1'),
    pools.writers.transaction((client) => client.query('select 1')),
    tail.query('select 1'),
  ];
  const results = await withinOwnTime(2000, Promise.allSettled(attempts));
  for (const result of results) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
  }
}

/** The pools find back without help: at once, or after the connections that broke were tried once. */
async function expectRecovery(tail: ReturnType<Pools['dedicated']>): Promise<void> {
  await expect
    .poll(
      async () => {
        await Promise.all([pools.readers.query('select 1'), pools.writers.query('select 1')]);
        return tail.query('select 1').then(() => 'answers');
      },
      { timeout: 10_000, interval: 50 },
    )
    .toBe('answers');
}

test('Postgres is suspended, and goes on', async () => {
  pools = open(postgres.appUrl);
  const tail = pools.dedicated('test tail');
  await expectRecovery(tail);
  const { rows } = await pools.readers.query<{ pid: number }>(
    "select pid from pg_stat_activity where application_name like 'test %'",
  );
  const suspended = [postgres.pid, ...rows.map(({ pid }) => pid)];
  for (const pid of suspended) process.kill(pid, 'SIGSTOP');
  await expectRefusalsInTime(tail);
  await expectRefusalsInTime(tail);
  for (const pid of suspended) process.kill(pid, 'SIGCONT');
  await expectRecovery(tail);
  await tail.close();
});

test('the network swallows everything, and stops doing so', async () => {
  const network = await openNetwork(Number(new URL(postgres.appUrl).port));
  const url = new URL(postgres.appUrl);
  url.port = String(network.port);
  pools = open(url.href);
  const tail = pools.dedicated('test tail');
  await expectRecovery(tail);
  network.swallow(true);
  await expectRefusalsInTime(tail);
  network.swallow(false);
  await expectRecovery(tail);
  await tail.close();
  await pools.end();
  network.close();
});

test('Postgres is killed, and started again', async () => {
  pools = open(postgres.appUrl);
  const tail = pools.dedicated('test tail');
  await expectRecovery(tail);
  postgres.kill9();
  await expectRefusalsInTime(tail);
  await postgres.restart();
  await expectRecovery(tail);
  await tail.close();
});

/** A way to the server that can lose every packet of old and new connections while it keeps them open. */
async function openNetwork(serverPort: number) {
  let swallowing = false;
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(serverPort, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => {
        if (!swallowing) to.write(chunk);
      });
      from.on('error', () => {});
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    swallow: (on: boolean) => {
      swallowing = on;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
