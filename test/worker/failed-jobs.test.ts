import type { PgBoss } from 'pg-boss';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { observeBacklog } from '../../src/worker/backlog.ts';
import { listFailedJobs, redriveJobs } from '../../src/worker/failed-jobs.ts';
import { openJobQueues } from '../../src/worker/job-queues.ts';
import { deadLetterQueue } from '../../src/worker/job-schema.ts';
import { createJobWorld, type JobWorld } from './job-world.ts';

describe('given jobs of two queues that failed for good', () => {
  let world: JobWorld;
  let boss: PgBoss;
  beforeEach(async () => {
    world = await createJobWorld();
    boss = await openJobQueues(world.database.appUrl);
    await boss.createQueue(deadLetterQueue);
    await failJob('sessions.prune', new Error('the disk is full'));
    await failJob('log.check', new Error('a gap at 7'));
  });
  afterEach(async () => {
    await boss.stop({ graceful: false });
    await world.close();
  });

  async function failJob(queue: string, error: Error): Promise<void> {
    await boss.createQueue(queue, { policy: 'exclusive', deadLetter: deadLetterQueue });
    await boss.send(queue, {}, { retryLimit: 0 });
    const [job] = await boss.fetch(queue);
    await boss.fail(queue, job!.id, error);
  }
  const failed = async () =>
    (await listFailedJobs(world.pools.readers)).map(({ queue, count, reason }) => [
      queue,
      count,
      reason,
    ]);
  const waiting = async (queue: string) => (await boss.fetch(queue)).map(({ name }) => name);

  it('an operator reads which, and why', async () => {
    expect(await failed()).toEqual([
      ['log.check', 1, 'a gap at 7'],
      ['sessions.prune', 1, 'the disk is full'],
    ]);
  });

  it('a worker counts them by queue', async () => {
    const registry = new Registry();
    observeBacklog(registry, world.pools.readers);
    const metrics = await registry.metrics();
    expect(metrics).toContain('latchkey_failed_jobs{queue="log.check"} 1\n');
    expect(metrics).toContain('latchkey_failed_jobs{queue="sessions.prune"} 1\n');
  });

  it('those of one queue go back into it', async () => {
    expect(await redriveJobs(world.database.appUrl, 'log.check')).toBe(1);
    expect(await failed()).toEqual([['sessions.prune', 1, 'the disk is full']]);
    expect(await waiting('log.check')).toEqual(['log.check']);
  });

  it('all go back where none is named, and one that waits already is enough', async () => {
    await boss.send('log.check', {});
    expect(await redriveJobs(world.database.appUrl)).toBe(1);
    expect(await failed()).toEqual([]);
    expect(await waiting('log.check')).toEqual(['log.check']);
    expect(await waiting('sessions.prune')).toEqual(['sessions.prune']);
  });
});
