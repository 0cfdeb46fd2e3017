import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FailoverProxy, openFailoverProxy } from '../support/failover-proxy.ts';
import {
  type FaultNode,
  faultPassword,
  logIn,
  registerUser,
  startFaultNode,
  until,
} from '../support/fault-node.ts';
import { type PrivatePostgres, startPrivatePostgres, withClient } from '../support/postgres.ts';
import { type Standby, startStandby } from '../support/standby.ts';

let primary: PrivatePostgres;
let standby: Standby;
let road: FailoverProxy;
let nodes: FaultNode[];

const owner = async (...statements: string[]) =>
  withClient(primary.ownerUrl, async (client) => {
    for (const statement of statements) await client.query(statement);
  });

beforeEach(async () => {
  primary = await startPrivatePostgres({ settings: { max_connections: '100' } });
  standby = await startStandby(primary);
  await owner("alter system set synchronous_standby_names = 'standby'", 'select pg_reload_conf()');
  road = await openFailoverProxy(primary.appUrl);
  nodes = [];
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.kill9()));
  await road.close();
  await standby.remove();
  await primary.remove();
});

async function startNode(): Promise<FaultNode> {
  const node = await startFaultNode({ databaseUrl: road.url });
  nodes.push(node);
  return node;
}

const logOut = (node: FaultNode, refresh_token: string) =>
  node.call('POST', '/auth/logout', { body: { refresh_token } });
const refresh = (node: FaultNode, refresh_token: string) =>
  node.call('POST', '/auth/refresh', { body: { refresh_token } });
const failing = async (node: FaultNode) =>
  ((await node.call('GET', '/readyz')).body as { failing?: string[] }).failing ?? [];

describe('a synchronous standby', () => {
  // Fails when an attempt that finds nothing to append is answered at once.
  it('F9: has what a repeated logout promises, before the repeat is answered', async () => {
    const node = await startNode();
    await registerUser(node, 'ada@example.com');
    const { refresh_token } = await logIn(node, 'ada@example.com');
    await standby.receive(false);
    expect((await logOut(node, refresh_token)).status).toBe(503);
    // The wait of that commit ends with the server: it is visible now, and on this server alone.
    primary.kill9();
    await primary.restart();
    await until(async () => (await refresh(node, refresh_token)).status === 401, 20_000);
    expect((await logOut(node, refresh_token)).status).toBe(503);

    await standby.receive(true);
    await until(async () => (await logOut(node, refresh_token)).status === 204, 20_000);
    primary.kill9();
    await standby.promote();
    await withClient(standby.ownerUrl, (client) =>
      client.query("alter system set synchronous_standby_names = ''"),
    );
    await withClient(standby.ownerUrl, (client) => client.query('select pg_reload_conf()'));
    road.switchTo(standby.appUrl);
    await until(async () => (await refresh(node, refresh_token)).status === 401, 20_000);
    await until(async () => (await failing(node)).length === 0, 20_000);
  });

  // Fails when a repeat is answered from what it has read, without a word of the standby.
  it('F9: has the user of a repeated registration, before the repeat is answered', async () => {
    const node = await startNode();
    await standby.receive(false);
    const register = () =>
      node.call('POST', '/auth/register', {
        body: { email: 'ada@example.com', password: faultPassword },
        headers: { 'idempotency-key': 'registration-of-ada' },
      });
    expect((await register()).status).toBe(503);
    // The wait of that commit ends with the server: it is visible now, and on this server alone.
    primary.kill9();
    await primary.restart();
    const users = () =>
      withClient(primary.ownerUrl, async (client) => {
        const { rows } = await client.query('select count(*)::int as n from latchkey.users');
        return rows[0]!.n as number;
      });
    await until(async () => (await users()) === 1, 20_000);
    for (let count = 0; count < 5; count += 1) expect((await register()).status).toBe(503);

    await standby.receive(true);
    await until(async () => (await register()).status === 201, 20_000);
  });

  // Fails when each try that was cut leaves a server process behind: four in three seconds.
  it('F10, F11: gone, leaves few processes waiting and no node ready', async () => {
    const both = [await startNode(), await startNode()];
    await registerUser(both[0]!, 'ada@example.com');
    for (const node of both) expect(await failing(node)).toEqual([]);
    await standby.receive(false);
    const endAt = Date.now() + 20_000;
    let most = 0;
    const visitors = both.flatMap((node) =>
      Array.from({ length: 4 }, async (_, visitor) => {
        for (let n = 0; Date.now() < endAt; n += 1) {
          const email = `${visitor}.${n}.${node.port}@example.com`;
          const body = { email, password: faultPassword };
          const { status, ms } = await node.call('POST', '/auth/register', { body });
          expect(status).toBe(503);
          expect(ms).toBeLessThan(5_000);
        }
      }),
    );
    while (Date.now() < endAt) {
      const { rows } = await withClient(primary.ownerUrl, (client) =>
        client.query(
          `select count(*)::int as n from pg_stat_activity where wait_event = 'SyncRep'`,
        ),
      );
      most = Math.max(most, rows[0]!.n);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await Promise.all(visitors);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(20);
    for (const node of both) expect(await failing(node)).toContain('append');

    await standby.receive(true);
    for (const node of both) {
      await until(async () => (await failing(node)).length === 0, 20_000);
      await registerUser(node, `back.${node.port}@example.com`);
    }
  });
});
