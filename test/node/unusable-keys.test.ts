import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { withClient } from '../support/postgres.ts';

let api: TestApi;
let token: string;
beforeEach(async () => {
  api = await startTestApi();
  token = (await api.admin()).access_token;
});
afterEach(() => api.stop());

const kidsOf = (status: string) =>
  api.node.memory.keyset.keys.filter((key) => key.status === status).map(({ kid }) => kid);

/** As a process would have left it that held another KEK under the same id. */
async function wrapWrongly(...kids: string[]): Promise<void> {
  const wrap = localKeyWrap([{ id: 'test', key: randomBytes(32) }]);
  await withClient(api.database.ownerUrl, async (owner) => {
    for (const kid of kids) {
      const wrapped = await wrap.wrap(kid, randomBytes(32));
      await owner.query('update latchkey.key_secrets set wrapped = $2 where kid = $1', [
        kid,
        wrapped,
      ]);
    }
  });
}
const rotate = (node: TestApi) => node.call('POST', '/admin/keys/rotate', { token });
const failing = async (node: TestApi) => (await node.call('GET', '/readyz')).body.failing ?? [];

describe('B1: an issuer key whose private part does not open', () => {
  // Fails when a rotation promotes the oldest pending key unseen.
  it('B1: is never promoted: the rotation takes the next one, or none', async () => {
    const [first, second] = kidsOf('pending');
    await wrapWrongly(first!);
    const { body } = await rotate(api);
    const active = body.keys.find(({ status }: { status: string }) => status === 'active');
    expect(active.kid).toBe(second);
    await wrapWrongly(...kidsOf('pending'));
    const refused = await rotate(api);
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
  });

  it('B1: pending, it is replaced by the next start, and a rotation works again', async () => {
    const before = kidsOf('pending');
    await wrapWrongly(...before);
    const node = await api.anotherNode();
    expect(await failing(node)).toEqual([]);
    expect((await rotate(node)).status).toBe(200);
    const { email } = await node.register();
    expect(await node.verify((await node.logIn({ email })).access_token)).toBe(204);
  });

  // Fails when the private key is opened before the public keys are taken over.
  it('B1: active, it stops signing there and never verification; a rotation mends it', async () => {
    const { email } = await api.register();
    const login = await api.logIn({ email });
    await wrapWrongly(...kidsOf('active'));

    const node = await api.anotherNode();

    expect(await failing(node)).toEqual(['signing_key']);
    expect((await node.call('GET', '/readyz/verify')).status).toBe(200);
    expect(await node.verify(login.access_token)).toBe(204);
    expect((await node.refresh(login.refresh_token)).status).toBe(503);
    await api.call('POST', '/auth/logout', { token: login.access_token });
    await expect.poll(() => node.verify(login.access_token)).toBe(401);
    expect(node.logged()).toContainEqual(
      expect.objectContaining({
        level: 50,
        msg: expect.stringContaining('cannot be used to sign'),
      }),
    );
    expect(await node.node.metrics.registry.metrics()).toContain('latchkey_unusable_keys 1');

    expect((await rotate(node)).status).toBe(200);
    expect(await failing(node)).toEqual([]);
    expect(await node.verify((await node.logIn({ email })).access_token)).toBe(204);
  });

  it('B1: new to a running node, the node says so before it has to sign', async () => {
    const other = await api.anotherNode();
    await withClient(api.database.ownerUrl, (owner) =>
      owner.query(`create function latchkey.spoil() returns trigger language plpgsql as $$
          begin new.wrapped := 'spoilt'; return new; end $$;
        create trigger spoil before insert on latchkey.key_secrets
          for each row execute function latchkey.spoil()`),
    );
    await rotate(api);
    await expect.poll(() => failing(other)).toEqual(['pending_key']);
    expect(await other.verify(token)).toBe(204);
  });
});
