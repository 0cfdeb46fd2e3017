import { mkdirSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aFile } from '../../support/a-file.ts';
import { type TestApi, testPassword } from '../../support/api.ts';
import { type ErasureWorld, startErasureWorld } from './erasure-world.ts';

let world: ErasureWorld;
let api: TestApi;
beforeAll(async () => {
  world = await startErasureWorld();
  api = world.api;
});
afterAll(() => api.stop());

describe('the erasure log', () => {
  it('names the user, the time and the log before the answer, and nothing personal', async () => {
    const { id } = await world.someone();
    await world.erase(id);
    const [{ log_id, log_epoch }] = await world.query(
      'select log_id, log_epoch from latchkey.log_meta',
    );
    const at = (await api.eventsOf(id)).at(-1)!.data.at as number;
    const erased_at = new Date(at).toISOString();
    expect(world.written(id)).toStrictEqual([{ user_id: id, erased_at, log_id, log_epoch }]);
    expect(statSync(api.node.config.erasure.log).mode & 0o777).toBe(0o600);
  });

  it('that cannot be written to: the erasure is refused before anything is erased', async () => {
    const file = aFile('erasures.log');
    mkdirSync(file, { recursive: true });
    const full = await api.anotherNode({ ERASURE_LOG: file });
    const { id, token: own } = await world.someone();
    for (const refused of [
      await world.erase(id, full),
      await world.eraseMe(own, testPassword, full),
    ]) {
      expect([refused.status, refused.body.code]).toEqual([503, 'unavailable']);
      expect(refused.headers.get('retry-after')).toBe('60');
    }
    expect(await api.eventsOf(id)).toHaveLength(1);
  });

  // Fails when a full disk is not noticed: a later restore would bring the user back.
  it('that is full: the answer is 503, and the erasure stands', async () => {
    const full = await api.anotherNode({ ERASURE_LOG: '/dev/full' });
    const [one, another] = [await world.someone(), await world.someone()];
    const answers = [
      await world.erase(one.id, full),
      await world.eraseMe(another.token, testPassword, full),
    ];
    expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    for (const { id } of [one, another]) {
      expect((await api.eventsOf(id)).at(-1)!.type).toBe('SubjectErased');
      expect(world.written(id)).toEqual([]);
    }
    expect((await world.erase(one.id)).status).toBe(204);
    expect(world.written(one.id)).toHaveLength(1);
    expect((await world.eraseMe(another.token)).body.code).toBe('invalid_token');
  });

  // Fails when a repeat finds the user erased and leaves it at that.
  it('that lost the line: a repeat of the erasure writes it', async () => {
    const { id } = await world.someone();
    await world.erase(id);
    const file = aFile('erasures.log');
    const other = await api.anotherNode({ ERASURE_LOG: file });
    expect((await world.erase(id, other)).status).toBe(204);
    expect(world.written(id, file)).toHaveLength(1);
  });

  it('is written by each node into its own file, or by all into one', async () => {
    const own = aFile('erasures.log');
    const [apart, beside] = [
      await api.anotherNode({ ERASURE_LOG: own }),
      await api.anotherNode({ ERASURE_LOG: api.node.config.erasure.log }),
    ];
    const people = await Promise.all(Array.from({ length: 12 }, () => api.register()));
    const nodes = [api, apart, beside];
    await Promise.all(people.map(({ id }, n) => world.erase(id, nodes[n % 3]!)));
    for (const [n, { id }] of people.entries()) {
      expect(world.written(id, n % 3 === 1 ? own : undefined)).toHaveLength(1);
    }
  });
});
