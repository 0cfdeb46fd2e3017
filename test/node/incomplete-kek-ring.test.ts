import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { startWorker } from '../../src/worker/worker.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { silentLogger } from '../support/cluster.ts';
import { jobConfig } from '../worker/job-world.ts';

const oldKey = randomBytes(32);
const oldKek = `old:${oldKey.toString('base64url')}`;
const newKek = `new:${randomBytes(32).toString('base64url')}`;

let api: TestApi;
let newer: TestApi;
let token: string;
beforeEach(async () => {
  api = await startTestApi({ KEK: oldKek, JWKS_MAX_KEYS: '8' });
  newer = await api.anotherNode({ KEK: `${newKek},${oldKek}` });
  token = (await api.admin()).access_token;
});
afterEach(() => api.stop());

const keyset = async () => (await newer.call('GET', '/admin/keys', { token })).body.keys;
const kidOf = async (status: string) =>
  (await keyset()).find((key: { status: string }) => key.status === status).kid as string;
const failing = async () => (await api.call('GET', '/readyz')).body.failing ?? [];

/** Each leaves one more pending key under the new KEK: after three the active one is, too. */
async function rotateUnderTheNewKek(times: number): Promise<void> {
  for (let rotation = 0; rotation < times; rotation += 1) {
    const rotated = await newer.call('POST', '/admin/keys/rotate', { token, body: { now: true } });
    expect(rotated.status, JSON.stringify(rotated.body)).toBe(200);
  }
}

describe('B1: a KEK ring that lacks the KEK of an issuer key', () => {
  // Fails when a key that does not open is replaced without asking whose fault that is.
  it.each([
    ['one pending key', 1, 'pending'],
    ['both pending keys', 2, 'pending'],
  ])('B1: of %s: nothing starts with it, and every key stays', async (_what, times, status) => {
    await rotateUnderTheNewKek(times);
    const before = await keyset();
    const sentence = new RegExp(
      `^the ${status} issuer key \\S+ is wrapped under new, which is not in the ring: add new`,
    );
    await expect(api.anotherNode()).rejects.toThrow(sentence);
    // Fails when a key of another algorithm is replaced before its KEK is looked for.
    await expect(api.anotherNode({ KEY_ALGORITHM: 'Ed25519' })).rejects.toThrow(sentence);
    await expect(
      startWorker({
        config: jobConfig,
        databaseUrl: api.database.appUrl,
        keyWrap: localKeyWrap([{ id: 'old', key: oldKey }]),
        log: silentLogger,
      }),
    ).rejects.toThrow(sentence);
    expect(await keyset()).toEqual(before);
  });

  it('B1: of the active key: a start names it, and a running node verifies on', async () => {
    const { email } = await api.register();
    const login = await api.logIn({ email, device: 'mobile' });
    await rotateUnderTheNewKek(1);
    await expect.poll(failing).toEqual(['pending_key']);
    await rotateUnderTheNewKek(2);
    await expect.poll(failing).toEqual(['signing_key', 'pending_key']);
    await expect(api.anotherNode()).rejects.toThrow(
      `the active issuer key ${await kidOf('active')} is wrapped under new`,
    );
    const fresh = await newer.logIn({ email });
    for (const { access_token } of [login, fresh]) expect(await api.verify(access_token)).toBe(204);
  });

  it('B1: for a KEK that is lost: revoking the key makes a start possible again', async () => {
    await rotateUnderTheNewKek(1);
    const lost = (await keyset()).at(-1).kid;
    expect((await api.call('POST', `/admin/keys/${lost}/revoke`, { token })).status).toBe(200);
    const restarted = await api.anotherNode();
    expect((await restarted.call('GET', '/readyz')).status).toBe(200);
  });
});
