import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { revokeIssuerKey } from '../../src/app/keyset/revoke-issuer-key.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { until } from '../support/fault-node.ts';
import { claimsOf, type RedisWorld, startRedisWorld, testBy } from './world.ts';

let world: RedisWorld;

beforeAll(async () => {
  world = await startRedisWorld();
  await world.caughtUp();
}, 60_000);
afterEach(() => acl('resetkeys', '~*', '+@all'));
afterAll(() => world.stop());

/** Changes what the user of the worker may do, who is also the test's. */
const acl = (...rules: string[]) => world.redis.client.call('ACL', 'SETUSER', 'default', ...rules);

/** Until the worker was refused another command: it has tried a step. */
async function refused(command: string): Promise<void> {
  const count = async () => {
    const entries = (await world.redis.client.call('ACL', 'LOG')) as unknown[][];
    return entries
      .map(
        (fields) => new Map(fields.flatMap((_, i) => (i % 2 ? [] : [[fields[i], fields[i + 1]]]))),
      )
      .filter((entry) => entry.get('object') === command)
      .reduce((sum, entry) => sum + Number(entry.get('count')), 0);
  };
  const before = await count();
  // The second time it has read what the first one left there.
  await until(async () => (await count()) >= before + 2, 20_000);
}

const checkpoint = () => world.redis.client.get('latchkey:model:checkpoint');

describe('a step of the model of which Redis refuses a command', () => {
  // Fails when the checkpoint is written before the commands: the next try takes it for done.
  it('is not done, and is repeated until each command was: a revoked key', async () => {
    const { client } = world.redis;
    const kid = (await client.get('auth:keys:active'))!;
    const before = await checkpoint();
    await acl('-sadd');
    await revokeIssuerKey(world.api.node, { kid, idempotencyKey: newId() }, testBy);
    await refused('sadd');
    expect(await checkpoint()).toBe(before);
    await acl('+sadd');
    await world.caughtUp();
    expect(await client.smembers('auth:keys:revoked')).toEqual([kid]);
  });

  it('nor when it may not write the keys: a logout', async () => {
    const { email } = await world.api.register();
    const { access_token: token } = await world.api.logIn({ email });
    await world.caughtUp();
    const before = await checkpoint();
    await acl('resetkeys', '~latchkey:*', '~auth:keys:*');
    const { sid, jti } = claimsOf(token);
    await world.api.call('POST', '/auth/logout', { token });
    await refused(`blacklist:${sid}`);
    expect(await checkpoint()).toBe(before);
    await acl('~*');
    await world.caughtUp();
    expect(await world.redis.client.exists(`blacklist:${sid}`, `blacklist:${jti}`)).toBe(2);
  });

  it('nor when the model is built anew', async () => {
    const { client } = world.redis;
    await acl('-zadd');
    await client.flushall();
    await refused('zadd');
    expect(await client.exists('latchkey:epoch')).toBe(0);
    await acl('+zadd');
    await world.caughtUp();
    expect(await client.zcard('auth:keys:recent')).toBeGreaterThan(0);
  });
});
