import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../src/domain/kernel/limits.ts';
import { longestAccessTokenTtlSeconds } from '../../../src/domain/session/lifetimes.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
let token: string;
beforeEach(async () => {
  api = await startTestApi();
  token = (await api.admin()).access_token;
});
afterEach(() => api.stop());

interface Key {
  kid: string;
  status: string;
  alg: string;
  generated_at: string;
  remove_after: string | null;
}

const startedAt = Date.now();

async function keys(): Promise<Key[]> {
  return (await api.call('GET', '/admin/keys', { token })).body.keys;
}
const kidOf = (list: Key[], status: string) => list.find((key) => key.status === status)!.kid;
const published = async (node: TestApi = api) =>
  (await node.call('GET', '/auth/jwks')).body.keys.map(({ kid }: { kid: string }) => kid);
const signedBy = (jwt: string) =>
  JSON.parse(Buffer.from(jwt.split('.')[0]!, 'base64url').toString()).kid;
const algOf = (jwt: string) =>
  JSON.parse(Buffer.from(jwt.split('.')[0]!, 'base64url').toString()).alg;
const post = (path: string, key?: string, body?: object) =>
  api.call('POST', path, {
    token,
    ...(body === undefined ? {} : { body }),
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });
/** A test's keys are seconds old. */
const rotateNow = (key?: string) => post('/admin/keys/rotate', key, { now: true });

describe('GET /admin/keys', () => {
  it('D3: shows an active and two pending keys, all published, and nothing private', async () => {
    const { body } = await api.call('GET', '/admin/keys', { token });
    expect(body.keys.map(({ status }: Key) => status).sort()).toEqual([
      'active',
      'pending',
      'pending',
    ]);
    expect(await published()).toHaveLength(3);
    expect(JSON.stringify(body)).not.toMatch(/"(d|p|q|jwk|wrapped)"/);
  });
});

describe('POST /admin/keys/rotate', () => {
  it('promotes the pending key, with which this node signs before it answers', async () => {
    const before = await keys();
    const { email } = await api.register();
    const old = await api.logIn({ email, device: 'web' });
    const { status, body } = await rotateNow();
    expect(status).toBe(200);
    expect(kidOf(body.keys, 'active')).toBe(kidOf(before, 'pending'));
    expect(kidOf(body.keys, 'retiring')).toBe(kidOf(before, 'active'));
    const fresh = await api.logIn({ email, device: 'mobile' });
    expect(signedBy(fresh.access_token)).toBe(kidOf(before, 'pending'));
    expect(await api.verify(old.access_token)).toBe(204);
    expect((await published()).sort()).toEqual(body.keys.map(({ kid }: Key) => kid).sort());
  });

  it('is followed by other nodes, which already held the promoted key', async () => {
    const other = await api.anotherNode();
    const { email } = await api.register();
    await rotateNow();
    const fresh = await api.logIn({ email });
    expect(await other.verify(fresh.access_token)).toBe(204);
    const newest = (await keys()).at(-1)!.kid;
    await expect.poll(() => published(other)).toContain(newest);
  });

  // Fails when the skew of other nodes' clocks, or the margin, is left out: a good token would be
  // refused after the key was removed.
  it('keeps the old key until its last token has expired by the clock of every node', async () => {
    const { lifetimes, verification } = api.node.config;
    const longest = longestAccessTokenTtlSeconds(lifetimes);
    const keptSeconds = longest + verification.clockSkewSeconds + limits.revocationMarginSeconds;
    const active = kidOf(await keys(), 'active');
    const before = Date.now();
    await rotateNow();
    const after = Date.now();
    const removeAfter = (await keys()).find(({ kid }) => kid === active)!.remove_after!;
    expect(Date.parse(removeAfter) - keptSeconds * 1000).toBeGreaterThanOrEqual(before);
    expect(Date.parse(removeAfter) - keptSeconds * 1000).toBeLessThanOrEqual(after);
  });

  it('rotates once for retries under one Idempotency-Key', async () => {
    const first = await rotateNow('rotate-once');
    const again = await rotateNow('rotate-once');
    expect([again.status, again.body]).toEqual([200, first.body]);
    await rotateNow('rotate-twice');
    expect(await keys()).toHaveLength(5);
  });

  it('B12: a full JWKS drops no key with live tokens, and says until when', async () => {
    const most = api.node.config.keyset.keysMax;
    for (let n = 3; n < most; n += 1) await rotateNow();
    const refused = await rotateNow();
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
    const retiring = (await keys()).filter(({ status }) => status === 'retiring');
    expect(refused.body.possible_at).toBe(retiring[0]!.remove_after);
    const waitSeconds = Number(refused.headers.get('retry-after'));
    expect(waitSeconds).toBeGreaterThan(21_000);
    expect(waitSeconds * 1000).toBeLessThan(Date.parse(retiring[0]!.remove_after!) - startedAt);
    expect(await published()).toHaveLength(most);
  });
});

describe('POST /admin/keys/rotate without `now`', () => {
  // Fails when a rotation by hand promotes a key whatever its age.
  it('D3: waits for verifiers also after an emergency, and says until when', async () => {
    await post(`/admin/keys/${kidOf(await keys(), 'active')}/revoke`);
    token = (await api.admin()).access_token;
    const before = await keys();
    const refused = await post('/admin/keys/rotate');
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
    const { keyset, verification } = api.node.config;
    const seconds =
      keyset.maxAgeSeconds + keyset.clientCacheSeconds + verification.clockSkewSeconds;
    const next = before.find(({ status }) => status === 'pending')!;
    const possibleAt = Date.parse(next.generated_at) + seconds * 1000;
    expect(Date.parse(refused.body.possible_at)).toBe(possibleAt);
    const waitSeconds = Number(refused.headers.get('retry-after'));
    expect(waitSeconds * 1000).toBeGreaterThanOrEqual(possibleAt - Date.now());
    expect(waitSeconds).toBeLessThanOrEqual(seconds);
    expect(await keys()).toEqual(before);
    expect((await post('/admin/keys/rotate', undefined, { now: false })).status).toBe(409);
    expect((await rotateNow()).status).toBe(200);
  });

  it('D3: rotates once the key is as old as every cache of the JWKS', async () => {
    const node = await api.anotherNode({
      JWKS_MAX_AGE_SECONDS: '0',
      JWKS_CLIENT_CACHE_SECONDS: '0',
      CLOCK_SKEW_SECONDS: '0',
    });
    expect((await node.call('POST', '/admin/keys/rotate', { token })).status).toBe(200);
  });
});

describe('KEY_ALGORITHM', () => {
  // Fails when EnsureKeys leaves pending keys of the old algorithm: two rotations would pass.
  it('B12: holds after a restart and one rotation; what the old key signed stays good', async () => {
    const { email } = await api.register();
    const old = await api.logIn({ email, device: 'web' });
    const restarted = await api.anotherNode({ KEY_ALGORITHM: 'Ed25519' });
    const pending = (await keys()).filter(({ status }) => status === 'pending');
    expect(pending.map(({ alg }) => alg)).toEqual(['Ed25519', 'Ed25519']);
    await restarted.call('POST', '/admin/keys/rotate', { token, body: { now: true } });
    const fresh = await restarted.logIn({ email, device: 'mobile' });
    expect(algOf(fresh.access_token)).toBe('Ed25519');
    expect(await restarted.verify(old.access_token)).toBe(204);
  });
});

describe('what happens to keys', () => {
  it('B12: is counted, and a log line of its own', async () => {
    const active = kidOf(await keys(), 'active');
    await rotateNow();
    await post(`/admin/keys/${active}/revoke`);
    const counted = await api.node.metrics.registry.metrics();
    expect(counted).toContain('latchkey_notable_events_total{event="KeyRetired"} 1');
    expect(counted).toContain('latchkey_notable_events_total{event="KeyRevoked"} 1');
    expect(api.logged()).toContainEqual(
      expect.objectContaining({ level: 40, event: 'KeyRevoked', kid: active }),
    );
    expect(api.logged()).toContainEqual(
      expect.objectContaining({ level: 30, event: 'KeyRetired', kid: active }),
    );
  });

  it('B12: as are a reuse and a lockout', async () => {
    const { email, id } = await api.register();
    const { refresh_token, session } = await api.logIn({ email });
    const second = await api.refresh(refresh_token);
    await api.refresh(second.body.refresh_token);
    await api.refresh(refresh_token);
    for (let n = 0; n < 10; n += 1) {
      const body = { email, password: 'not the password at all' };
      await api.call('POST', '/auth/login', { body });
    }
    const counted = await api.node.metrics.registry.metrics();
    expect(counted).toContain('latchkey_notable_events_total{event="UserLocked"} 1');
    expect(counted).toContain('latchkey_notable_events_total{event="RefreshTokenReuseDetected"} 1');
    expect(api.logged()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ event: 'UserLocked', user_id: id }),
        expect.objectContaining({ event: 'RefreshTokenReuseDetected', session_id: session.id }),
      ]),
    );
  });
});

describe('POST /admin/keys/{kid}/revoke', () => {
  // Fails when the newest pending key is promoted: a client's cache may not hold it yet.
  it('D3: just after a rotation promotes a key that was published before it', async () => {
    const cached = await published();
    await rotateNow();
    const { body } = await post(`/admin/keys/${kidOf(await keys(), 'active')}/revoke`);
    expect(cached).toContain(kidOf(body.keys, 'active'));
  });

  it('refuses the tokens of the key at once, everywhere; sessions refresh to the next', async () => {
    const other = await api.anotherNode();
    const { email } = await api.register();
    const login = await api.logIn({ email });
    const active = kidOf(await keys(), 'active');
    const { status, body } = await post(`/admin/keys/${active}/revoke`);
    expect([status, kidOf(body.keys, 'revoked')]).toEqual([200, active]);
    expect(await api.verify(login.access_token)).toBe(401);
    await expect.poll(() => other.verify(login.access_token)).toBe(401);
    expect(await published()).not.toContain(active);
    const refreshed = await api.refresh(login.refresh_token);
    expect(await api.verify(refreshed.body.access_token)).toBe(204);
    expect(signedBy(refreshed.body.access_token)).not.toBe(active);
  });

  it('leaves an active and two pending keys behind, and is idempotent', async () => {
    const pending = kidOf(await keys(), 'pending');
    await post(`/admin/keys/${pending}/revoke`);
    const { status, body } = await post(`/admin/keys/${pending}/revoke`);
    expect(status).toBe(200);
    expect(body.keys.map((key: Key) => key.status).sort()).toEqual([
      'active',
      'pending',
      'pending',
      'revoked',
    ]);
  });

  it('is 404 for a kid that is not ours', async () => {
    expect((await post('/admin/keys/no-such-kid/revoke')).status).toBe(404);
  });
});
