import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ NETWORK_REFUSALS_WARN: '25' });
});
afterAll(() => api.stop());

async function countOf(series: string): Promise<number> {
  const text = await api.node.metrics.registry.metrics();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.split(' ')[1]);
}

const guess = (email: string, fields: object = {}) =>
  api.call('POST', '/auth/login', { body: { email, password: 'not this one', ...fields } });

describe('abuse has a count of its own, and a line without personal data', () => {
  it('a refresh token that is used twice', async () => {
    const { email } = await api.register();
    const { refresh_token } = await api.logIn({ email });
    const { body } = await api.refresh(refresh_token);
    await api.refresh(body.refresh_token);
    expect(await countOf('latchkey_refresh_token_reuse_total')).toBe(0);
    expect((await api.refresh(refresh_token)).status).toBe(401);
    expect(await countOf('latchkey_refresh_token_reuse_total')).toBe(1);
    const line = api.logged().find(({ event }) => event === 'RefreshTokenReuseDetected');
    expect(line).toMatchObject({ level: 40, msg: 'a refresh token was used twice' });
  });

  it('a lock of a user, and one of a device', async () => {
    const { email } = await api.register();
    const { device_token } = await api.logIn({ email });
    for (let each = 0; each < 10; each += 1) await guess(email);
    expect(await countOf('latchkey_lockouts_total{of="user"}')).toBe(1);
    expect(await countOf('latchkey_lockouts_total{of="device"}')).toBe(0);
    for (let each = 0; each < 10; each += 1) await guess(email, { device_token });
    expect(await countOf('latchkey_lockouts_total{of="device"}')).toBe(1);
    const lines = api.logged().filter(({ event }) => /Locked$/.test(event ?? ''));
    expect(lines.map(({ level, event }) => [level, event])).toEqual([
      [40, 'UserLocked'],
      [40, 'DeviceLocked'],
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/example|127\.0/);
  });

  // Fails when refusals of routes for anybody are not counted by network.
  it('a network that is refused often', async () => {
    for (let each = 0; each < 26; each += 1) await guess('nobody@example.com');
    expect(await countOf('latchkey_refused_networks_total')).toBe(1);
    const lines = api.logged().filter(({ network }) => network !== undefined);
    expect(lines).toMatchObject([{ level: 40, refusals: 25 }]);
    expect(JSON.stringify(lines)).not.toMatch(/example|127\.0/);
  });
});
