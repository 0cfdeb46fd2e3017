import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listFailedJobs, redriveJobs } from '../../src/worker/failed-jobs.ts';
import {
  type FaultNode,
  type FaultProcess,
  faultPassword,
  registerUser,
  startFaultNode,
  startFaultWorker,
} from '../support/fault-node.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../support/postgres.ts';
import { eventually } from '../worker/eventually.ts';

let postgres: PrivatePostgres;
let owner: pg.Client;
let service: FaultNode;
let workers: FaultProcess[];
beforeEach(async () => {
  workers = [];
  postgres = await startPrivatePostgres();
  owner = new pg.Client({ connectionString: postgres.ownerUrl });
  await owner.connect();
  service = await startFaultNode({
    databaseUrl: postgres.appUrl,
    env: { ACCESS_TOKEN_EXPIRY_MS: '2000', CLOCK_SKEW_SECONDS: '1' },
  });
}, 120_000);
afterEach(async () => {
  await Promise.all([service, ...workers].map((each) => each.kill9()));
  await owner.end();
  await postgres.remove();
});

async function startWorker(): Promise<FaultProcess> {
  const worker = await startFaultWorker({ databaseUrl: postgres.appUrl });
  workers.push(worker);
  return worker;
}

/** A session of a service is over in two seconds. */
async function startSession(deviceType: 'service' | 'web'): Promise<string> {
  const email = 'somebody@example.com';
  await registerUser(service, email);
  const body = { email, password: faultPassword, device: { type: deviceType } };
  const answer = await eventually(async () => {
    const tried = await service.call('POST', '/auth/login', { body });
    return tried.status === 200 && tried;
  });
  return answer.body.session.id;
}

async function typesOf(sessionId: string): Promise<string[]> {
  const { rows } = await owner.query(
    'select type from latchkey.events where stream_id = $1 order by version',
    [sessionId],
  );
  return rows.map(({ type }) => type);
}

async function statesOf(job: string): Promise<string[]> {
  const { rows } = await owner.query('select state::text from pgboss_v12.job where name = $1', [
    job,
  ]);
  return rows.map(({ state }) => state);
}

describe('a worker', () => {
  // Fails without a heartbeat: the queue is exclusive, so the dead worker's job would keep all
  // others out for an hour.
  it('takes over the job of one that was killed in the middle of it', async () => {
    const session = await startSession('service');
    const holder = new pg.Client({ connectionString: postgres.ownerUrl });
    await holder.connect();
    await holder.query('begin; lock table latchkey.sessions in access exclusive mode');
    const killed = await startWorker();
    await eventually(async () => (await statesOf('sessions.expire')).includes('active'), 60_000);
    await killed.kill9();
    await holder.query('rollback');
    await holder.end();
    expect(await statesOf('sessions.expire')).toEqual(['active']);
    await startWorker();
    await eventually(async () => (await typesOf(session)).includes('SessionExpired'), 180_000);
    expect(await typesOf(session)).toEqual(['SessionStarted', 'SessionExpired']);
  });

  it('gives up a job after four tries with pauses, until somebody puts it back', async () => {
    // One that does not end meanwhile: the job that would end it would fail as well.
    const session = await startSession('web');
    const damage = (version: number) =>
      owner.query(`set session_replication_role = replica;
        update latchkey.streams set version = ${version} where stream_id = '${session}';
        reset session_replication_role`);
    await damage(7);
    const worker = await startWorker();
    const client = {
      query: (statement: { text: string; values?: unknown[] }) => owner.query(statement),
    };
    const [failed] = await eventually(async () => {
      const jobs = await listFailedJobs(client);
      return jobs.length > 0 && jobs;
    }, 240_000);
    expect(failed).toMatchObject({ queue: 'log.check', count: 1, reason: /log check found/ });
    const tries = worker.lines
      .map((line) => (line.startsWith('{') ? JSON.parse(line) : {}))
      .filter(({ job, msg }) => job === 'log.check' && msg === 'job failed')
      .map(({ time }) => new Date(time).getTime());
    expect(tries.length).toBeGreaterThanOrEqual(4);
    const pauses = tries.slice(1, 4).map((time, n) => time - tries[n]!);
    expect(pauses.every((pause) => pause > 2_500)).toBe(true);

    await damage(1);
    expect(await redriveJobs(postgres.appUrl, 'log.check')).toBeLessThanOrEqual(1);
    await eventually(async () => (await statesOf('log.check')).includes('completed'), 120_000);
    expect(await listFailedJobs(client)).toEqual([]);
  });
});
