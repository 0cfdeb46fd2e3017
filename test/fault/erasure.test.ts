import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aFile } from '../support/a-file.ts';
import {
  expectStatus,
  type FaultNode,
  faultPassword,
  registerUser,
  startFaultNode,
  startFaultWorker,
  until,
} from '../support/fault-node.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../support/postgres.ts';

const administrator = { email: 'admin@example.com', password: faultPassword };
const people = 80;
const ofServe = aFile('erasures.log');
const ofWorker = aFile('erasures.log');

let postgres: PrivatePostgres;
let owner: pg.Client;
beforeAll(async () => {
  postgres = await startPrivatePostgres();
  owner = new pg.Client({ connectionString: postgres.ownerUrl });
  await owner.connect();
}, 120_000);
afterAll(async () => {
  await owner.end();
  await postgres.remove();
});

function startNode(): Promise<FaultNode> {
  return startFaultNode({
    databaseUrl: postgres.appUrl,
    env: {
      ERASURE_LOG: ofServe,
      ADMIN_EMAIL: administrator.email,
      ADMIN_PASSWORD: administrator.password,
    },
  });
}

async function adminToken(node: FaultNode): Promise<string> {
  const body = { ...administrator, device: { type: 'service' } };
  return (await expectStatus(200, node.call('POST', '/auth/login', { body }))).body.access_token;
}

function named(file: string): Set<string> {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  const ids = lines.flatMap((line) => {
    try {
      return [(JSON.parse(line) as { user_id: string }).user_id];
    } catch {
      return [];
    }
  });
  return new Set(ids);
}

async function erasedIds(): Promise<string[]> {
  const { rows } = await owner.query(
    `select user_id from latchkey.users where status = 'erased' order by 1`,
  );
  return rows.map(({ user_id }) => user_id as string);
}

/** Erases one after the other until the process dies; answers whom it was told are erased. */
async function eraseUntilKilled(ids: string[], node: FaultNode): Promise<string[]> {
  const token = await adminToken(node);
  const answered: string[] = [];
  const somebody = async () => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
      const answer = await node.call('DELETE', `/admin/users/${id}`, { token }).catch(() => null);
      if (answer === null) return;
      expect(answer.status).toBe(204);
      answered.push(id);
      if (answered.length === 20) void node.kill9();
    }
  };
  await Promise.all([somebody(), somebody(), somebody(), somebody()]);
  return answered;
}

describe('API processes that die by kill -9 while they erase', () => {
  // Fails when the answer leaves before the file is written, or nobody completes what a crash cut.
  it('lose no erasure that was answered, and a worker writes down the others', async () => {
    let node = await startNode();
    for (let n = 0; n < people; n += 1) await registerUser(node, `person-${n}@example.com`);
    const { rows } = await owner.query(
      `select user_id from latchkey.users where not ('latchkey:admin' = any (roles))`,
    );
    const ids = rows.map(({ user_id }) => user_id as string);
    const answered: string[] = [];
    for (let kills = 0; kills < 3; kills += 1) {
      answered.push(...(await eraseUntilKilled(ids, node)));
      node = await startNode();
    }
    await node.kill9();
    const beforeWorker = named(ofServe);
    expect(answered.filter((id) => !beforeWorker.has(id))).toEqual([]);
    const erased = await erasedIds();
    expect(erased.length).toBeGreaterThanOrEqual(answered.length);

    const worker = await startFaultWorker({
      databaseUrl: postgres.appUrl,
      env: { ERASURE_LOG: ofWorker },
    });
    await until(async () => named(ofWorker).size === erased.length, 60_000);
    await worker.terminate();
    expect([...named(ofWorker)].toSorted()).toEqual(erased.toSorted());
    const cut = erased.filter((id) => !beforeWorker.has(id)).length;
    console.info(`${answered.length} answered, ${erased.length} erased, ${cut} not in the file`);
  }, 240_000);
});
