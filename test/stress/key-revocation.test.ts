import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectStatus, type FaultNode, logIn, startFaultNode } from '../support/fault-node.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { RotationLoad } from './rotation-load.ts';

/** A revoked key is refused by every process this long after the answer. */
const reachMs = 250;
const users = 12;
const refreshMs = 300;
const rounds = 3;

let database: TestDatabase;
let nodes: FaultNode[];

beforeAll(async () => {
  database = await createTestDatabase();
  const administrator = {
    ADMIN_EMAIL: 'admin@example.com',
    ADMIN_PASSWORD: 'a long and ordinary sentence',
  };
  const options = { databaseUrl: database.appUrl, env: administrator };
  nodes = [await startFaultNode(options)];
  nodes.push(...(await Promise.all([startFaultNode(options), startFaultNode(options)])));
}, 60_000);
afterAll(async () => {
  await Promise.all((nodes ?? []).map((node) => node.kill9()));
  await database.drop();
});

const kidOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()).kid as string;

/** How many of the tokens each process accepts. */
function acceptedBy(tokens: readonly string[]): Promise<number[]> {
  return Promise.all(
    nodes.map(async (node) => {
      const answers = tokens.map((token) => node.call('GET', '/auth/verify', { token }));
      return (await Promise.all(answers)).filter(({ status }) => status === 204).length;
    }),
  );
}

it('no process accepts a token of a key 250 ms after it was revoked under load', async () => {
  const stopping = new AbortController();
  const load = new RotationLoad(nodes);
  const living = Array.from({ length: users }, (_, n) =>
    load.live(`user.${n}@example.com`, refreshMs, stopping.signal),
  );
  for (let round = 0; round < rounds; round += 1) {
    await Promise.race([sleep(2_000), ...living]);
    const { access_token: token } = await logIn(nodes[round]!, 'admin@example.com', 'service');
    const kid = kidOf(token);
    expect(load.tokensOf(kid).length).toBeGreaterThan(users);
    const target = `/admin/keys/${kid}/revoke`;
    await expectStatus(200, nodes[round]!.call('POST', target, { token }));
    // Of what was signed until now, and of what a process signs that has not heard of it yet.
    await sleep(reachMs);
    const dead = load.tokensOf(kid);
    expect(await acceptedBy(dead)).toEqual([0, 0, 0]);
    console.info(
      `round ${round}: ${dead.length} tokens refused by each of ${nodes.length} processes`,
    );
  }
  const { logins, refreshes } = load;
  await Promise.race([sleep(2_000), ...living]);
  stopping.abort();
  await Promise.all(living);
  expect(load.logins).toBeGreaterThan(logins);
  expect(load.refreshes).toBeGreaterThan(refreshes);
  console.info(`${load.logins} logins and ${load.refreshes} refreshes, none of them refused`);
}, 60_000);
