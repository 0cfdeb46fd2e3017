import { randomBytes } from 'node:crypto';
import { decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { boundSession, provenRefresh } from '../support/dpop.ts';
import { withClient } from '../support/postgres.ts';

let api: TestApi;
let token: string;
beforeEach(async () => {
  api = await startTestApi();
  token = (await api.admin()).access_token;
});
afterEach(async () => {
  vi.restoreAllMocks();
  await api.stop();
});

const kidsOf = (status: string) =>
  api.node.memory.keyset.keys.filter((key) => key.status === status).map(({ kid }) => kid);

/** As a process would have left it that held another KEK under the same id. */
async function wrapWrongly(...kids: string[]): Promise<void> {
  const wrap = localKeyWrap([{ id: 'test', key: randomBytes(32) }]);
  await withClient(api.database.ownerUrl, async (owner) => {
    for (const kid of kids) {
      const wrapped = await wrap.wrap(kid, randomBytes(32));
      for (const table of ['key_secrets', 'session_key_secrets']) {
        const text = `update latchkey.${table} set wrapped = $2 where kid = $1`;
        await owner.query(text, [kid, wrapped]);
      }
    }
  });
}
const rotate = (node: TestApi) =>
  node.call('POST', '/admin/keys/rotate', { token, body: { now: true } });
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
    const told = before.map((kid) => ({ level: 40, event: 'KeyRemoved', kid }));
    expect(node.logged()).toEqual(
      expect.arrayContaining(told.map((line) => expect.objectContaining(line))),
    );
    expect(await node.node.metrics.registry.metrics()).toContain(
      'latchkey_notable_events_total{event="KeyRemoved"} 2',
    );
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

describe('a node that cannot sign', () => {
  const eventsSoFar = () =>
    withClient(api.database.ownerUrl, async (owner) => {
      const { rows } = await owner.query('select count(*)::integer as count from latchkey.events');
      return rows[0].count as number;
    });
  /** What a node answers that appends nothing while it does. */
  async function unwritten(ask: () => Promise<{ status: number; body: { code?: string } }>) {
    const before = await eventsSoFar();
    const { status, body } = await ask();
    expect(await eventsSoFar()).toBe(before);
    return [status, body.code];
  }
  const unavailable = [503, 'unavailable'];
  const logInAt = (node: TestApi, email: string) => () =>
    node.call('POST', '/auth/login', { body: { email, password: testPassword } });

  // Fails when the key is asked for after the append: the session elsewhere would be superseded.
  it('refuses a login, and the session that it would have superseded goes on', async () => {
    const { email } = await api.register();
    const login = await api.logIn({ email });
    await wrapWrongly(...kidsOf('active'));
    const node = await api.anotherNode();
    expect(await unwritten(logInAt(node, email))).toEqual(unavailable);
    expect(await api.verify(login.access_token)).toBe(204);
    expect((await api.refresh(login.refresh_token)).status).toBe(200);
  });

  // Fails when the key is asked for after the append: the next use would be beyond the window.
  it('refuses a refresh, and its token rotates elsewhere at any time', async () => {
    const { email } = await api.register();
    const login = await api.logIn({ email });
    await wrapWrongly(...kidsOf('active'));
    const node = await api.anotherNode();
    expect(await unwritten(() => node.refresh(login.refresh_token))).toEqual(unavailable);
    const later = Date.now() + 600_000;
    vi.spyOn(api.node, 'now').mockImplementation(() => later);
    expect((await api.refresh(login.refresh_token)).status).toBe(200);
    expect(await unwritten(() => node.refresh(login.refresh_token))).toEqual(unavailable);
  });

  it('records the reuse of a refresh token all the same', async () => {
    const { email } = await api.register();
    const login = await api.logIn({ email });
    const { body } = await api.refresh(login.refresh_token);
    await api.refresh(body.refresh_token);
    await wrapWrongly(...kidsOf('active'));
    const node = await api.anotherNode();
    expect((await node.refresh(login.refresh_token)).status).toBe(401);
    const types = (await api.eventsOf(login.session.id)).map(({ type }) => type);
    expect(types.slice(-2)).toEqual(['RefreshTokenReuseDetected', 'SessionRevoked']);
  });

  // Fails when a repeat, which appends nothing, uses its proof up before the key is there.
  it('leaves the proof of a repeat unused', async () => {
    const { device, tokens } = await boundSession(api);
    await provenRefresh(api, device, tokens.refresh_token);
    await wrapWrongly(...kidsOf('active'));
    const node = await api.anotherNode();
    const usedProofs = () =>
      withClient(api.database.ownerUrl, async (owner) => {
        const { rows } = await owner.query('select count(*) from latchkey.dpop_proofs');
        return rows[0].count as string;
      });
    const before = await usedProofs();
    const repeat = () => provenRefresh(node, device, tokens.refresh_token);
    expect(await unwritten(repeat)).toEqual(unavailable);
    expect(await usedProofs()).toBe(before);
    expect((await provenRefresh(api, device, tokens.refresh_token)).status).toBe(200);
  });

  it('with the key of a session refuses its refresh alike, and no other session', async () => {
    const owner = await api.anotherNode({ SIGNING_WEB: 'session' });
    const [lost, kept] = [await owner.register(), await owner.register()];
    const login = await owner.logIn(lost);
    const other = await owner.logIn(kept);
    await wrapWrongly(decodeProtectedHeader(login.access_token).kid!);
    const node = await api.anotherNode();
    expect(await unwritten(() => node.refresh(login.refresh_token))).toEqual(unavailable);
    const later = Date.now() + 600_000;
    vi.spyOn(owner.node, 'now').mockImplementation(() => later);
    expect((await owner.refresh(login.refresh_token)).status).toBe(200);
    expect(await unwritten(() => node.refresh(login.refresh_token))).toEqual(unavailable);
    expect((await node.refresh(other.refresh_token)).status).toBe(200);
  });

  // Fails when the signer of a role of Latchkey is found only after the append.
  it('as the issuer refuses an administrator, whose session has a key, alone', async () => {
    await wrapWrongly(...kidsOf('active'));
    const node = await api.anotherNode({ SIGNING_WEB: 'session' });
    const { email, id } = await node.register();
    const { refresh_token } = await node.logIn({ email });
    const role = `/admin/users/${id}/roles/latchkey:admin`;
    expect((await api.call('PUT', role, { token })).status).toBe(204);
    expect(await unwritten(logInAt(node, email))).toEqual(unavailable);
    expect(await unwritten(() => node.refresh(refresh_token))).toEqual(unavailable);
    expect((await api.refresh(refresh_token)).status).toBe(200);
  });
});
