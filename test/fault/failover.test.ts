import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FailoverProxy, openFailoverProxy } from '../support/failover-proxy.ts';
import {
  type FaultNode,
  faultPassword,
  logIn,
  registerUser,
  startFaultNode,
  until,
  verifyStatus,
} from '../support/fault-node.ts';
import { type PrivatePostgres, startPrivatePostgres, withClient } from '../support/postgres.ts';
import { readText } from '../support/source-files.ts';
import { type Standby, startStandby } from '../support/standby.ts';

const email = 'ada@example.com';
const restoreSteps = /```sql\n([\s\S]*?)```/.exec(
  readText('docs/operations.md').split('\n### Restore\n')[1]!,
)![1]!;

let primary: PrivatePostgres;
let standby: Standby;
let roads: FailoverProxy[];
let nodes: FaultNode[];

beforeEach(async () => {
  primary = await startPrivatePostgres();
  standby = await startStandby(primary);
  roads = [];
  nodes = [];
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.kill9()));
  await Promise.all(roads.map((road) => road.close()));
  await standby.remove();
  await primary.remove();
});

async function startNode(): Promise<{ node: FaultNode; road: FailoverProxy }> {
  const road = await openFailoverProxy(primary.appUrl);
  roads.push(road);
  const node = await startFaultNode({ databaseUrl: road.url });
  nodes.push(node);
  return { node, road };
}

const logOut = (node: FaultNode, refreshToken: string) =>
  node.call('POST', '/auth/logout', { body: { refresh_token: refreshToken } });
const failing = async (node: FaultNode) =>
  ((await node.call('GET', '/readyz')).body as { failing?: string[] }).failing ?? [];
const registers = (node: FaultNode, address: string) =>
  node.call('POST', '/auth/register', { body: { email: address, password: faultPassword } });

function failOver(): Promise<void> {
  primary.kill9();
  return standby.promote().then(() => {
    for (const road of roads) road.switchTo(standby.appUrl);
  });
}

describe('an asynchronous standby is promoted', () => {
  // Fails when the head is compared instead of the event, when the refusal is not passed on, and
  // when it ends with the next good poll.
  it('F8: it has lost an answered logout, and every node refuses it for good', async () => {
    const { node: a } = await startNode();
    const { node: b, road: roadOfB } = await startNode();
    await registerUser(a, email);
    const live = await logIn(a, email, 'mobile');
    const ended = await logIn(a, email);
    expect(await verifyStatus(b, ended.access_token)).toBe(204);

    await standby.caughtUp();
    await standby.receive(false);
    // B never hears of the logout: it could notice nothing by itself.
    roadOfB.switchTo(null);
    expect((await logOut(a, ended.refresh_token)).status).toBe(204);
    await failOver();

    for (const node of [a, b]) {
      await until(async () => (await verifyStatus(node, live.access_token)) === 503, 10_000);
      expect(await verifyStatus(node, ended.access_token)).not.toBe(204);
      expect(await failing(node)).toContain('log_identity');
      expect((await node.call('GET', '/readyz/verify')).status).toBe(503);
    }
    // The head moves on beyond all that was lost, and the refusal stays.
    await withClient(standby.ownerUrl, (client) =>
      client.query("select nextval('latchkey.event_pos') from generate_series(1, 100)"),
    );
    for (const node of [a, b]) {
      expect((await registers(node, 'bob@example.com')).status).toBe(503);
      expect((await logOut(node, ended.refresh_token)).status).toBe(503);
    }
    const another = startFaultNode({ databaseUrl: standby.appUrl });
    await expect(another).rejects.toThrow('found the log incomplete');

    await withClient(standby.ownerUrl, (client) => client.query(restoreSteps));
    const settled = await startFaultNode({ databaseUrl: standby.appUrl });
    nodes.push(settled);
    expect((await settled.call('GET', '/readyz')).status).toBe(200);
    const body = { refresh_token: ended.refresh_token };
    expect((await settled.call('POST', '/auth/refresh', { body })).status).toBe(401);
    expect(await failing(b)).toContain('log_identity');
  });

  it('F8: it has lost nothing, and every node goes on', async () => {
    const { node: a } = await startNode();
    const { node: b } = await startNode();
    await registerUser(a, email);
    const ended = await logIn(a, email);
    expect((await logOut(a, ended.refresh_token)).status).toBe(204);
    await standby.caughtUp();
    await failOver();
    for (const node of [a, b]) {
      await until(async () => (await failing(node)).length === 0, 10_000);
      expect(await verifyStatus(node, ended.access_token)).toBe(401);
      const { access_token } = await logIn(node, email);
      expect(await verifyStatus(node, access_token)).toBe(204);
    }
  });
});
