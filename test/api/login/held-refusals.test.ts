import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { budgets } from '../../../src/domain/kernel/budgets.ts';
import { createRateLimits } from '../../../src/node/rate-limits.ts';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';

/** A refusal for a budget is held for twenty of them: longer than any test. */
const floorMs = 1_000;

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: String(floorMs) });
});
afterAll(() => api.stop());
afterEach(() => vi.restoreAllMocks());

/** One name may be tried twice, at a clock that stands. */
async function nodeWithASpentName() {
  const node = await api.anotherNode();
  const { email } = await node.register();
  const limits = createRateLimits({
    enabled: true,
    budgets: { ...budgets, login_failure: [{ per: 'name', count: 2, windowSeconds: 60 }] },
    now: () => 0,
  });
  vi.spyOn(node.node.rateLimits, 'take').mockImplementation(limits.take);
  vi.spyOn(node.node.rateLimits, 'requireRoom').mockImplementation(limits.requireRoom);
  const guess = () =>
    node.call('POST', '/auth/login', { body: { email, password: `no ${testPassword}` } });
  const answers = await Promise.all([guess(), guess()]);
  expect(answers.map(({ status }) => status)).toEqual([401, 401]);
  return { node, guess };
}

describe('C2: given a name whose tries are spent', () => {
  // Fails when what is held stands in the way of others: in a queue, or by its address.
  it('its next refusal is held, and who is below the budgets logs in meanwhile', async () => {
    const { node, guess } = await nodeWithASpentName();
    const refused = guess();
    const { heldRefusals } = node.node;
    await expect.poll(() => heldRefusals.held).toBe(1);
    const { email } = await node.register();
    for (let n = 0; n < 3; n += 1) await node.logIn({ email });
    expect(heldRefusals.held).toBe(1);
    await node.stop();
    expect((await refused).status).toBe(429);
  });

  // Fails when who finds no place asks again on the same connection: a try would cost it nothing.
  it('one without a place leaves at the floor and closes its connection', async () => {
    const { node, guess } = await nodeWithASpentName();
    const places = vi.spyOn(node.node.heldRefusals, 'hold').mockResolvedValue(false);
    const startedAt = performance.now();
    const { status, headers } = await guess();
    expect([status, headers.get('connection')]).toEqual([429, 'close']);
    expect(performance.now() - startedAt).toBeGreaterThan(floorMs * 0.9);
    expect(places).toHaveBeenCalledWith(
      expect.any(Number),
      expect.objectContaining({ network: '127.0.0.0/24' }),
    );
    places.mockResolvedValue(true);
    expect((await guess()).headers.get('connection')).not.toBe('close');
    await node.stop();
  });

  // Fails when a drain waits for what is held, or cuts it off unanswered.
  it('a shutdown answers what is held and does not wait for its time', async () => {
    const { node, guess } = await nodeWithASpentName();
    const refused = [guess(), guess()];
    await expect.poll(() => node.node.heldRefusals.held).toBe(2);
    const startedAt = performance.now();
    await node.stop();
    expect(performance.now() - startedAt).toBeLessThan(9 * floorMs);
    for (const { status, headers } of await Promise.all(refused)) {
      expect(status).toBe(429);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(80);
    }
  });
});
