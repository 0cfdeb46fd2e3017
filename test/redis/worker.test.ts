import { afterEach, describe, expect, it } from 'vitest';
import { type BlackHoleProxy, openBlackHoleProxy } from '../support/black-hole-proxy.ts';
import { until } from '../support/fault-node.ts';
import { claimsOf, type RedisWorld, startRedisWorld } from './world.ts';

const started: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of started.splice(0).reverse()) await each.stop();
});

async function endedSession({ api }: RedisWorld) {
  const { email } = await api.register();
  const { access_token: token } = await api.logIn({ email });
  await api.call('POST', '/auth/logout', { token });
  return claimsOf(token);
}

describe('a worker', () => {
  // Fails when an entry lives as long as the clock of the worker says.
  it.each([
    ['an hour ahead', 3_600_000],
    ['an hour behind', -3_600_000],
  ])(
    'whose clock is %s lets an entry live as long as the token',
    async (_, skewMs) => {
      const world = await startRedisWorld({}, [], async () => ({ now: () => Date.now() + skewMs }));
      started.push(world);
      const { sid, exp } = await endedSession(world);
      await world.caughtUp();
      const leftMs = await world.redis.client.pttl(`blacklist:${sid}`);
      const tokenLeftMs = exp! * 1000 - Date.now();
      expect(leftMs).toBeGreaterThan(tokenLeftMs);
      expect(leftMs).toBeLessThan(tokenLeftMs + 70_000);
    },
    60_000,
  );

  // Fails when a statement without an answer is waited for, as long as the connection stands.
  it('goes on when the database has left its tail without an answer', async () => {
    const networks: BlackHoleProxy[] = [];
    const world = await startRedisWorld({}, [], async (databaseUrl) => {
      networks.push(await openBlackHoleProxy(databaseUrl));
      return { directUrl: networks[0]!.url };
    });
    const [network] = networks as [BlackHoleProxy];
    started.push({ stop: () => network.close() }, world);
    await world.caughtUp();
    const before = network.accepted;
    network.swallow(true);
    const { sid } = await endedSession(world);
    expect(await world.redis.client.exists(`blacklist:${sid}`)).toBe(0);
    network.swallow(false);
    await until(async () => (await world.redis.client.exists(`blacklist:${sid}`)) === 1, 30_000);
    expect(network.accepted).toBeGreaterThan(before);
  }, 60_000);
});
