import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let other: TestApi;
let token: string;
beforeEach(async () => {
  api = await startTestApi();
  other = await api.anotherNode();
  token = (await api.admin()).access_token;
});
afterEach(() => api.stop());

const kids = (status: string) =>
  api.node.memory.keyset.keys.filter((key) => key.status === status).map(({ kid }) => kid);
const told = (node: TestApi) =>
  node
    .logged()
    .filter(({ event }) => String(event).startsWith('Key'))
    .map(({ level, event, kid }) => `${level} ${event} ${kid}`);
const counted = (node: TestApi, event: string, times: number) =>
  expect
    .poll(() => node.node.metrics.registry.metrics())
    .toContain(`latchkey_notable_events_total{event="${event}"} ${times}\n`);

describe('what another process does to the issuer keys', () => {
  // Fails when a node tells only of what it wrote itself: the command line is a process of its own.
  it('B12: is a log line and a count in every running node, once each', async () => {
    const [active, next] = [kids('active')[0], kids('pending')[0]];
    const rotation = { token, body: { now: true } };
    expect((await api.call('POST', '/admin/keys/rotate', rotation)).status).toBe(200);
    const made = kids('pending').at(-1);
    await api.call('POST', `/admin/keys/${active}/revoke`, { token });
    await counted(other, 'KeyRevoked', 1);
    const expected = [
      `30 KeyRetired ${active}`,
      `30 KeyActivated ${next}`,
      `30 KeyGenerated ${made}`,
      `40 KeyRevoked ${active}`,
    ];
    for (const line of expected) expect(told(other)).toContain(line);
    expect(told(other)).toHaveLength(expected.length);
    await other.node.refreshMemory();
    expect(told(other)).toHaveLength(expected.length);
    // Its own changes, which it reads too, are not told twice.
    for (const line of expected) {
      expect(told(api).filter((said) => said === line)).toHaveLength(1);
    }
    for (const node of [api, other]) await counted(node, 'KeyRetired', 1);
  });

  it('B12: also that announced keys were replaced, as a warning', async () => {
    const replaced = kids('pending');
    await api.anotherNode({ KEY_ALGORITHM: 'Ed25519' });
    await counted(other, 'KeyRemoved', 2);
    for (const kid of replaced) expect(told(other)).toContain(`40 KeyRemoved ${kid}`);
    await counted(other, 'KeyGenerated', 2);
  });
});
