import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type FaultNode,
  logIn,
  registerUser,
  startFaultNode,
  verifyStatus,
} from '../support/fault-node.ts';
import { type PgBouncer, startPgBouncer } from '../support/pgbouncer.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let bouncer: PgBouncer;
let node: FaultNode | undefined;

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await node?.kill9();
  node = undefined;
  await bouncer.stop();
  await database.drop();
});

const start = () => startFaultNode({ databaseUrl: bouncer.url, directUrl: database.appUrl });

describe('PgBouncer in transaction mode', () => {
  it('E12: with prepared statements, carries 40 visitors at once through all they do', async () => {
    bouncer = await startPgBouncer(database.appUrl, { preparedStatements: 100 });
    node = await start();
    expect((await node.call('GET', '/readyz')).status).toBe(200);
    const visit = async (visitor: number) => {
      const email = `visitor.${visitor}@example.com`;
      await registerUser(node!, email);
      const { access_token, refresh_token } = await logIn(node!, email);
      const renewed = await node!.call('POST', '/auth/refresh', { body: { refresh_token } });
      const body = { refresh_token: renewed.body.refresh_token };
      const out = await node!.call('POST', '/auth/logout', { body });
      return [renewed.status, out.status, await verifyStatus(node!, access_token)];
    };
    const visits = await Promise.all(Array.from({ length: 40 }, (_, visitor) => visit(visitor)));
    expect(visits.filter((visit) => visit.join() !== '200,204,401')).toEqual([]);
    expect((await node.call('GET', '/readyz')).status).toBe(200);
  });

  // Fails when nothing but reads is tried at the start: each of them finds its process again.
  it('E12: without them, is refused at the start, and the version to use is named', async () => {
    bouncer = await startPgBouncer(database.appUrl, { preparedStatements: 0 });
    await expect(start()).rejects.toThrow('use PgBouncer 1.21 or newer');
  });
});
