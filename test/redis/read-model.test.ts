import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { revokeIssuerKey } from '../../src/app/keyset/revoke-issuer-key.ts';
import { rotateIssuerKeys } from '../../src/app/keyset/rotate-issuer-keys.ts';
import { checkModel } from '../../src/consumers/redis-model/check.ts';
import { RedisModelStore } from '../../src/consumers/redis-model/store.ts';
import { LogGuard } from '../../src/eventlog/log-guard.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { connectedRedisLink, type RedisLink } from '../../src/platform/redis/link.ts';
import { silentLogger } from '../support/cluster.ts';
import { until } from '../support/fault-node.ts';
import { percentile } from '../support/fault-timing.ts';
import { withClient } from '../support/postgres.ts';
import { claimsOf, type RedisWorld, startRedisWorld, testBy } from './world.ts';

let world: RedisWorld;
let link: RedisLink;

beforeAll(async () => {
  world = await startRedisWorld();
  link = await connectedRedisLink({ url: world.redis.url, name: 'test', log: silentLogger });
  await world.caughtUp();
}, 60_000);
afterAll(async () => {
  link.close();
  await world.stop();
});

const exists = (...names: string[]) =>
  world.redis.client.exists(...names.map((name) => `blacklist:${name}`));

async function loggedIn() {
  const { email, id } = await world.api.register();
  const tokens = await world.api.logIn({ email });
  return { email, id, tokens, claims: claimsOf(tokens.access_token) };
}

/** What is wrong with the model; nothing is the expected answer. */
async function findings(): Promise<string[]> {
  const { readers } = world.api.node.cells.home;
  const guard = new LogGuard();
  await guard.check(readers);
  return checkModel({ store: new RedisModelStore(link), readers, log: guard.logName });
}

describe('the blacklist in Redis', () => {
  it('has an ended session and its token until the token has expired', async () => {
    const { tokens, claims } = await loggedIn();
    await world.caughtUp();
    expect(await exists(claims.jti!, claims.sid!)).toBe(0);
    await world.api.call('POST', '/auth/logout', { token: tokens.access_token });
    await world.caughtUp();
    expect(await exists(claims.jti!, claims.sid!)).toBe(2);
    for (const name of [claims.jti, claims.sid]) {
      const leftMs = await world.redis.client.pttl(`blacklist:${name}`);
      const tokenLeftMs = claims.exp! * 1000 - Date.now();
      expect(leftMs).toBeGreaterThan(tokenLeftMs);
      expect(leftMs).toBeLessThan(tokenLeftMs + 70_000);
    }
  });

  // Fails when the model takes the last generation alone.
  it('has every token of the session that may live', async () => {
    const { tokens, claims } = await loggedIn();
    let { refresh_token } = tokens;
    for (let each = 0; each < 3; each += 1) {
      refresh_token = (await world.api.refresh(refresh_token)).body.refresh_token;
    }
    await world.api.call('POST', '/auth/logout', { body: { refresh_token } });
    await world.caughtUp();
    const jtis = [1, 2, 3, 4].map((generation) => `${claims.sid}.${generation}`);
    expect(await exists(...jtis)).toBe(4);
    expect(await exists(`${claims.sid}.5`)).toBe(0);
  });

  it('has the tokens from before a role was revoked, and not those from after it', async () => {
    const { id, tokens, claims } = await loggedIn();
    const token = (await world.api.admin()).access_token;
    const role = `/admin/users/${id}/roles/editor`;
    await world.api.call('PUT', role, { token });
    await world.caughtUp();
    expect(await exists(claims.jti!)).toBe(0);
    await world.api.call('DELETE', role, { token });
    const next = (await world.api.refresh(tokens.refresh_token)).body;
    await world.caughtUp();
    expect(await exists(claims.jti!)).toBe(1);
    const nextClaims = claimsOf(next.access_token);
    expect(await exists(nextClaims.jti!, claims.sid!)).toBe(0);
    expect(await world.redis.client.get(`blacklist:user:${id}`)).toBe(String(nextClaims.epoch));
  });

  it('has the sessions of a disabled user, and every token of a disabled client', async () => {
    const { id, claims } = await loggedIn();
    const token = (await world.api.admin()).access_token;
    await world.api.call('POST', `/admin/users/${id}/disable`, { token });
    const body = { name: 'a service' };
    const { client_id } = (await world.api.call('POST', '/admin/clients', { token, body })).body;
    await world.api.call('DELETE', `/admin/clients/${client_id}`, { token });
    await world.caughtUp();
    expect(await exists(claims.jti!, claims.sid!, `client:${client_id}`)).toBe(3);
  });

  // Fails when the model stops at the event, or lets the tokens of somebody erased live on.
  it('has the sessions and the epoch of an erased user, and no address', async () => {
    const { email, id, claims } = await loggedIn();
    const token = (await world.api.admin()).access_token;
    await world.api.call('DELETE', `/admin/users/${id}`, { token });
    await world.caughtUp();
    expect(await exists(claims.jti!, claims.sid!, `user:${id}`)).toBe(3);
    expect(await findings()).toEqual([]);
    const names = await world.redis.client.keys('*');
    expect(names.filter((name) => name.includes(email))).toEqual([]);
  });

  // Fails when a client whose tokens were ended counts as a disabled one, or as none.
  it("has a client's epoch: its tokens below that are dead, the others good", async () => {
    const token = (await world.api.admin()).access_token;
    const body = { name: 'a service' };
    const made = (await world.api.call('POST', '/admin/clients', { token, body })).body;
    const ask = async () => {
      const basic = [made.client_id, made.client_secret] as const;
      const form = { grant_type: 'client_credentials' };
      return claimsOf(
        (await world.api.call('POST', '/oauth2/token', { basic, form })).body.access_token,
      );
    };
    const before = await ask();
    await world.api.call('DELETE', `/admin/clients/${made.client_id}/tokens`, { token });
    const after = await ask();
    await world.caughtUp();
    const epoch = Number(await world.redis.client.get(`blacklist:client:${made.client_id}`));
    expect(epoch).toBeGreaterThan(Number(before.client_epoch));
    expect(epoch).toBe(after.client_epoch);
    expect(await exists(after.jti!, after.sid!)).toBe(0);
  });

  it('says how soon an entry is there', async () => {
    const times: number[] = [];
    for (let each = 0; each < 40; each += 1) {
      const { tokens, claims } = await loggedIn();
      await world.api.call('POST', '/auth/logout', { token: tokens.access_token });
      times.push(await until(async () => (await exists(claims.jti!)) === 1, 5_000, 1));
    }
    const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
    console.log(`blacklisted after a logout: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
    expect(p50).toBeLessThan(500);
  });
});

describe('the keys in Redis', () => {
  // Two keys of one millisecond have no order.
  const inOrder = (jwks: { kid: string }[]) => jwks.toSorted((a, b) => (a.kid < b.kid ? -1 : 1));
  const keys = async () => {
    const { client } = world.redis;
    const kids = await client.zrange('auth:keys:recent', '0', '-1');
    return {
      kids,
      active: await client.get('auth:keys:active'),
      revoked: await client.smembers('auth:keys:revoked'),
      jwks: await Promise.all(kids.map((kid) => client.get(`auth:keys:jwk:${kid}`))),
    };
  };

  it('are those of the JWKS, public parts only, also after a revocation', async () => {
    const { node } = world.api;
    const jwks = async () => (await world.api.call('GET', '/.well-known/jwks.json')).body.keys;
    await world.caughtUp();
    const before = await keys();
    expect(inOrder(before.jwks.map((text) => JSON.parse(text!)))).toEqual(inOrder(await jwks()));
    expect(before.jwks.join()).not.toMatch(/"(d|p|q|dp|dq|qi|k)":/);

    await rotateIssuerKeys(node, { idempotencyKey: newId(), now: true }, testBy);
    await revokeIssuerKey(node, { kid: before.active!, idempotencyKey: newId() }, testBy);
    await node.refreshMemory();
    await world.caughtUp();
    const after = await keys();
    expect(after.revoked).toEqual([before.active]);
    expect(after.kids).not.toContain(before.active);
    expect(await world.redis.client.exists(`auth:keys:jwk:${before.active}`)).toBe(0);
    expect(after.kids).toContain(after.active);
    expect(inOrder(after.jwks.map((text) => JSON.parse(text!)))).toEqual(inOrder(await jwks()));
  });
});

describe('a Redis that lost the model', () => {
  const ended = async () => {
    const { tokens, claims } = await loggedIn();
    await world.api.call('POST', '/auth/logout', { token: tokens.access_token });
    return claims;
  };

  // Fails when a batch after the flush writes the checkpoint again: it would hide the loss.
  it('gets it again after FLUSHALL under load, whole', async () => {
    const tokens: string[] = [];
    const logouts = Array.from({ length: 4 }, async () => {
      for (let each = 0; each < 15; each += 1) tokens.push((await ended()).jti!);
    });
    const flushes = (async () => {
      for (let each = 0; each < 3; each += 1) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        await world.redis.client.flushall();
      }
    })();
    await Promise.all([...logouts, flushes]);
    await until(async () => (await exists(...tokens)) === tokens.length, 20_000);
    await world.caughtUp();
    expect(await findings()).toEqual([]);
    expect(await world.metric('latchkey_redis_model_rebuilds_total')).toBeGreaterThan(1);
  });

  // Fails when the model is noticed to be gone by the next event only.
  it('gets it again while nothing happens', async () => {
    const { sid } = await ended();
    await world.caughtUp();
    await world.redis.client.flushall();
    await until(async () => (await exists(sid!)) === 1, 20_000);
  });

  it('and holds one of another epoch gets it again, and keeps what is not ours', async () => {
    const { sid } = await ended();
    await world.caughtUp();
    const { client } = world.redis;
    await client.mset('blacklist:of-an-older-epoch', '1', 'another:application', 'kept');
    await client.set('latchkey:epoch', newId());
    await until(async () => (await client.exists('blacklist:of-an-older-epoch')) === 0, 20_000);
    await until(async () => (await exists(sid!)) === 1, 20_000);
    expect(await client.get('another:application')).toBe('kept');
    const rows = await withClient(world.api.database.ownerUrl, async (owner) => {
      return (await owner.query('select log_epoch from latchkey.log_meta')).rows;
    });
    await until(async () => (await client.get('latchkey:epoch')) === rows[0].log_epoch, 20_000);
  });

  it('is left alone when it holds the model of another log', async () => {
    const { client } = world.redis;
    const foreign = `1 ${newId()} ${newId()} 7`;
    await client.set('latchkey:model:checkpoint', foreign);
    const said = () =>
      world.lines.some(({ err }) => /another|of the log/.test(JSON.stringify(err)));
    await until(async () => said(), 20_000);
    expect(await client.get('latchkey:model:checkpoint')).toBe(foreign);
    await client.del('latchkey:model:checkpoint');
    await world.caughtUp();
  });
});

// Last: nothing but a newer release mends it.
describe('an event that this release cannot read', () => {
  it('stops the model loudly, and the lag grows', async () => {
    const { claims } = await loggedIn();
    await world.caughtUp();
    const lag = () => world.metric('latchkey_redis_model_lag_seconds');
    await until(async () => (await lag()) === 0, 20_000);
    await withClient(world.api.database.ownerUrl, async (client) => {
      await client.query(
        `insert into latchkey.events
           (kind, stream_id, version, type, schema_v, data, meta, recorded_at)
         values (2, $1, 2, 'SessionMarvelled', 1, '{}', '{}', clock_timestamp())`,
        [claims.sid],
      );
    });
    const checkpoint = await world.redis.client.get('latchkey:model:checkpoint');
    await until(async () => (await world.metric('latchkey_redis_model_stopped')) === 1, 20_000);
    expect((await world.worker.readiness()).degraded).toContain('redis_model');
    expect(world.lines.filter(({ msg }) => /model has stopped/.test(msg))).toHaveLength(1);
    expect(await world.redis.client.get('latchkey:model:checkpoint')).toBe(checkpoint);
    await until(async () => (await lag()) > 2 && (await lag()) < 60, 20_000);
  });
});
