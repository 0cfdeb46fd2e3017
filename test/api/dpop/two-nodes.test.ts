import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forgetOldProofs, recordUsedProof } from '../../../src/tables/dpop-proof.ts';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { athOf, boundSession, provenRefresh, TestDevice, testIssuer } from '../../support/dpop.ts';
import { withClient } from '../../support/postgres.ts';

let one: TestApi;
let two: TestApi;
beforeAll(async () => {
  one = await startTestApi({ DEVICE_POLICY_WEB: 'unlimited', DPOP_NONCE_SECONDS: '600' });
  two = await one.anotherNode();
});
afterAll(() => one.stop());

const codes = (answers: readonly { status: number; body: { code?: string } }[]) =>
  answers.map(({ status, body }) => body.code ?? String(status)).sort();
const used = ['200', 'invalid_dpop_proof'];

async function deviceWithNonce(api: TestApi) {
  const { device, email, tokens } = await boundSession(api);
  return { device, email, tokens };
}

describe('one proof at two nodes', () => {
  // Fails when the row of the proof does not go with the append: each node has its own memory.
  it('logs in once, in any order and at once', async () => {
    const { device, email } = await deviceWithNonce(one);
    const body = { email, password: testPassword };
    for (let turn = 0; turn < 5; turn++) {
      const dpop = device.proof('POST', `${testIssuer}/auth/login`);
      const send = (api: TestApi) => api.call('POST', '/auth/login', { body, headers: { dpop } });
      const racing = await Promise.all([send(one), send(two)]);
      expect(codes(racing)).toEqual(used);
    }
    const { rows } = await withClient(one.database.ownerUrl, (owner) =>
      owner.query('select count(*)::int as sessions from latchkey.sessions'),
    );
    expect(rows[0].sessions).toBe(6);
  });

  it('rotates a refresh token once, in any order and at once', async () => {
    const { device, tokens } = await deviceWithNonce(one);
    let token = tokens.refresh_token;
    for (let turn = 0; turn < 5; turn++) {
      const dpop = device.proof('POST', `${testIssuer}/auth/refresh`);
      const body = { refresh_token: token };
      const send = (api: TestApi) => api.call('POST', '/auth/refresh', { body, headers: { dpop } });
      const racing = await Promise.all([send(one), send(two)]);
      expect(codes(racing)).toEqual(used);
      token = racing.find(({ status }) => status === 200)!.body.refresh_token;
    }
    const types = (await one.eventsOf(tokens.session.id)).map(({ type }) => type);
    expect(types).toEqual(['SessionStarted', ...Array(5).fill('SessionRefreshed')]);
  });

  // A repeat appends nothing, so the proof has a statement of its own.
  it('gets the successor again once', async () => {
    const { device, tokens } = await deviceWithNonce(one);
    await provenRefresh(one, device, tokens.refresh_token);
    const dpop = device.proof('POST', `${testIssuer}/auth/refresh`);
    const body = { refresh_token: tokens.refresh_token };
    const send = (api: TestApi) => api.call('POST', '/auth/refresh', { body, headers: { dpop } });
    expect(codes([await send(one), await send(two)])).toEqual(used);
  });

  // Two nodes do not tell each other: docs/dpop.md says so.
  it('passes a verification once at each', async () => {
    const { device, tokens } = await deviceWithNonce(one);
    const token = tokens.access_token;
    const claims = { ath: athOf(token) };
    const dpop = device.proof('GET', `${testIssuer}/auth/verify`, { claims });
    const headers = { authorization: `DPoP ${token}`, dpop };
    const statusAt = async (api: TestApi) =>
      (await api.call('GET', '/auth/verify', { headers })).status;
    const statuses = [await statusAt(one), await statusAt(one), await statusAt(two)];
    expect([...statuses, await statusAt(two)]).toEqual([204, 401, 204, 401]);
  });
});

describe('the nodes', () => {
  it('take the nonces of each other', async () => {
    const { device, tokens } = await deviceWithNonce(one);
    const asked = new TestDevice();
    const { headers } = await two.call('GET', '/auth/me', {
      headers: {
        authorization: `DPoP ${tokens.access_token}`,
        dpop: device.proof('GET', `${testIssuer}/auth/me`, {
          claims: { nonce: undefined, ath: athOf(tokens.access_token) },
        }),
      },
    });
    asked.nonce = headers.get('dpop-nonce')!;
    expect(asked.nonce).toBe(device.nonce);
  });
});

describe('the record of a used proof', () => {
  it('stays while the proof could pass, and is forgotten page by page afterwards', async () => {
    const { readers } = one.node.cells.home;
    const proof = (jti: string, expiresAt: number) => ({ jkt: 'key', jti, expiresAt });
    const old = Array.from({ length: 3 }, (_, index) => proof(`old ${index}`, Date.now() - 1));
    const live = proof('live', Date.now() + 60_000);
    for (const each of [...old, live]) expect(await recordUsedProof(readers, each)).toBe(true);
    expect(await forgetOldProofs(readers, 2)).toBe(2);
    expect(await forgetOldProofs(readers, 2)).toBe(1);
    expect(await forgetOldProofs(readers, 2)).toBe(0);
    expect(await recordUsedProof(readers, live)).toBe(false);
    expect(await recordUsedProof(readers, old[0]!)).toBe(true);
  });
});
