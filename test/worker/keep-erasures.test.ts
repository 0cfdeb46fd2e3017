import { randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeUser } from '../../src/app/user/change-user.ts';
import { eraseUser } from '../../src/app/user/erase-user.ts';
import { ErasureLog } from '../../src/node/erasure-log.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { keepErasures } from '../../src/worker/jobs/keep-erasures.ts';
import { aFile } from '../support/a-file.ts';
import { silentLogger } from '../support/cluster.ts';
import { testMeta } from '../support/session-commands.ts';
import { createJobWorld, type JobWorld } from './job-world.ts';

const now = Date.parse('2026-01-05T10:00:00Z');
const name = { logId: 'log', logEpoch: 'epoch' };
let world: JobWorld;
beforeEach(async () => {
  world = await createJobWorld();
});
afterEach(() => world.close());

/** Erased by an API process, whose own file is another one than the worker's. */
async function erasedUser(): Promise<string> {
  const userId = newId();
  const { touch, rows } = changeUser(userId, null, {
    type: 'RegisterUser',
    now,
    pii: randomBytes(40),
    emailVerified: false,
    hasPassword: false,
    roles: [],
  });
  await world.writer.append({ commandId: newId(), meta: testMeta, streams: [touch], rows });
  const erasures = new ErasureLog(aFile('erasures.log'), name);
  const { cells, by } = world.context(now);
  await eraseUser({ cells, erasures, now: () => now }, { userId }, by);
  return userId;
}

const lines = () => readFileSync(world.erasureFile, 'utf8').trimEnd().split('\n');
const written = () => lines().map((line) => (JSON.parse(line) as { user_id: string }).user_id);

describe('erasures.keep', () => {
  it('writes down who was erased and does not stand there, once', async () => {
    const ids = [await erasedUser(), await erasedUser()];
    const warned: [object, string][] = [];
    const log = {
      ...silentLogger,
      warn: (fields: object, text: string) => void warned.push([fields, text]),
    };
    const job = keepErasures();
    await job.run(world.context(now, { log }));
    expect(written().toSorted()).toEqual(ids.toSorted());
    expect(JSON.parse(lines()[0]!)).toMatchObject({ erased_at: '2026-01-05T10:00:00.000Z' });
    expect(warned).toEqual([[{ missing: 2 }, 'erased users were missing in the erasure log']]);
    await job.run(world.context(now, { log }));
    await job.run(world.context(now, { log }));
    expect([lines().length, warned.length]).toEqual([2, 1]);
  });

  it('writes nothing, and makes no file, while nobody was erased', async () => {
    await keepErasures().run(world.context(now));
    expect(await world.erasures.state()).toBe('missing');
  });

  // Fails when a run believes its last one, and does not look at the file and the table again.
  it('finds what is missing after it had found them equal', async () => {
    const first = await erasedUser();
    const job = keepErasures();
    for (let run = 0; run < 3; run += 1) await job.run(world.context(now));
    const second = await erasedUser();
    await job.run(world.context(now));
    expect(written()).toEqual([first, second]);
    for (let run = 0; run < 2; run += 1) await job.run(world.context(now));
    truncateSync(world.erasureFile, lines()[0]!.length + 1);
    await job.run(world.context(now));
    expect(written()).toEqual([first, second]);
    for (let run = 0; run < 2; run += 1) await job.run(world.context(now));
    rmSync(world.erasureFile);
    await job.run(world.context(now));
    expect(written().toSorted()).toEqual([first, second].toSorted());
  });

  it('writes a line again that a crash has cut', async () => {
    const id = await erasedUser();
    const job = keepErasures();
    await job.run(world.context(now));
    truncateSync(world.erasureFile, 30);
    await job.run(world.context(now));
    expect(lines()).toHaveLength(2);
    expect((JSON.parse(lines()[1]!) as { user_id: string }).user_id).toBe(id);
  });

  it('does not stumble over lines that are none', async () => {
    const id = await erasedUser();
    await world.erasures.record({ userId: newId(), erasedAt: now });
    appendFileSync(world.erasureFile, `\n\nno JSON\n{"user_id":7}\nnull\n{"user_id":"x"}\n`);
    await keepErasures().run(world.context(now));
    expect(await world.erasures.userIds()).toContain(id);
  });

  // Fails when a row that somebody else has put there makes the worker name a user who lives.
  it('does not believe a tombstone without a good seal', async () => {
    await erasedUser();
    await world.owner.query(`update latchkey.users set mac = 'forged'`);
    await keepErasures().run(world.context(now));
    expect(await world.erasures.state()).toBe('missing');
  });

  it('fails while the file cannot be written, and makes it good afterwards', async () => {
    const id = await erasedUser();
    const full = new ErasureLog('/dev/full', name);
    const job = keepErasures();
    await expect(job.run(world.context(now, { erasures: full }))).rejects.toThrow('unavailable');
    await job.run(world.context(now));
    expect(written()).toEqual([id]);
  });
});
