import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { boundSession, provenRefresh, TestDevice } from '../../support/dpop.ts';
import { served } from '../../support/served.ts';

// `BOUND_SESSION_RUNS=1000` shows the figure of docs/guarantees.md.
const runs = Number(process.env.BOUND_SESSION_RUNS ?? 10);
const turns = Math.max(50, runs / 2);

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ DPOP_NONCE_SECONDS: '600' });
});
afterEach(() => void vi.restoreAllMocks());
afterAll(() => api.stop());

/** Each try with a proof of its own. */
const refreshed = (device: TestDevice, token: string) =>
  served(() => provenRefresh(api, device, token));

const statusesOf = (answers: readonly { status: number }[]) => answers.map(({ status }) => status);

describe('a bound session over HTTP', () => {
  it(`survives seven presentations over three days in ${runs} runs`, async () => {
    for (let run = 0; run < runs; run++) {
      const { device, tokens } = await boundSession(api);
      const first = tokens.refresh_token;
      const five = await Promise.all([1, 2, 3, 4, 5].map(() => refreshed(device, first)));
      expect(statusesOf(five)).toEqual([200, 200, 200, 200, 200]);
      expect(new Set(five.map(({ body }) => body.refresh_token)).size).toBe(1);
      const begun = Date.now();
      const clock = vi.spyOn(api.node, 'now').mockImplementation(() => begun + 465_000);
      expect((await refreshed(device, five[0]!.body.refresh_token)).status).toBe(200);
      expect((await refreshed(device, first)).status).toBe(200);
      clock.mockImplementation(() => begun + 3 * 86_400_000);
      expect((await refreshed(device, first)).status).toBe(200);
      clock.mockRestore();
      const types = (await api.eventsOf(tokens.session.id)).map(({ type }) => type);
      expect(types.filter((type) => !/^Session(Started|Refreshed)$/.test(type))).toEqual([]);
    }
  }, 600_000);

  it(`gives a thief nothing in ${turns * 2} tries, and refreshes for its owner`, async () => {
    const { device, tokens } = await boundSession(api);
    const thief = new TestDevice();
    const stolen = [tokens.refresh_token];
    for (let turn = 0; turn < turns; turn++) {
      const token = stolen[turn % stolen.length]!;
      expect((await api.refresh(token)).body.code).toBe('invalid_dpop_proof');
      expect((await provenRefresh(api, thief, token)).body.code).toBe('invalid_dpop_proof');
      const { body } = await provenRefresh(api, device, stolen.at(-1)!);
      stolen.push(body.refresh_token);
    }
  }, 600_000);
});

describe('the grace window of a client', () => {
  const parentAfter = async (seconds: number, refreshGraceSeconds: number | undefined) => {
    const { access_token: token } = await api.admin();
    const { body: client } = await api.call('POST', '/admin/clients', {
      token,
      body: {
        ...{ name: 'app', kind: 'public', first_party: true },
        ...(refreshGraceSeconds === undefined
          ? {}
          : { refresh_grace_seconds: refreshGraceSeconds }),
      },
    });
    const shown = await api.call('GET', `/admin/clients/${client.client_id}`, { token });
    expect(shown.body.refresh_grace_seconds).toBe(refreshGraceSeconds);
    const { email } = await api.register();
    const tokens = await api.logIn({ email, fields: { client_id: client.client_id } });
    await api.refresh(tokens.refresh_token);
    const later = Date.now() + seconds * 1000;
    vi.spyOn(api.node, 'now').mockImplementation(() => later);
    const { status } = await api.refresh(tokens.refresh_token);
    vi.restoreAllMocks();
    return status;
  };

  // Fails when the window of the node is asked instead, or beside it.
  it('is its own where it has one, and REFRESH_GRACE_SECONDS where not', async () => {
    expect(await parentAfter(60, 600)).toBe(200);
    expect(await parentAfter(20, 5)).toBe(401);
    expect(await parentAfter(20, undefined)).toBe(200);
    expect(await parentAfter(60, undefined)).toBe(401);
  });

  it('is at most ten minutes', async () => {
    const { access_token: token } = await api.admin();
    const body = { name: 'app', refresh_grace_seconds: 601 };
    expect((await api.call('POST', '/admin/clients', { token, body })).status).toBe(400);
  });
});
