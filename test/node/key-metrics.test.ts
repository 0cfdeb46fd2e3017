import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

const metrics = () => api.node.metrics.registry.metrics();
const seriesOf = (text: string, series: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.split(' ')
      .at(-1),
  );

// Fails when a use is counted twice, for a refused token, or lost when the keyset is read again.
it('exports age, signatures and verifications of each issuer key', async () => {
  const { email } = await api.register();
  const { access_token: token } = await api.logIn({ email });
  expect(await api.verify(token)).toBe(204);
  expect(await api.verify(`${token}x`)).toBe(401);
  const { kid } = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString());
  const admin = await api.admin();
  await api.call('POST', '/admin/keys/rotate', { token: admin.access_token, body: { now: true } });
  expect(await api.verify(token)).toBe(204);
  const text = await metrics();
  const uses = (name: string) => seriesOf(text, `latchkey_issuer_key_${name}_total{kid="${kid}"}`);
  expect(uses('signatures')).toBe(2);
  expect(uses('verifications')).toBe(3);
  const statuses = [
    ...text.matchAll(/latchkey_issuer_key_age_seconds\{.*status="(\w+)"\} [\d.]+/g),
  ];
  expect(statuses.map(([, status]) => status).toSorted()).toEqual([
    'active',
    'pending',
    'pending',
    'retiring',
  ]);
});

// Fails when the help says that a revoked key, which has left the JWKS, is published.
it('exports revoked keys too, and its help says so', async () => {
  const { access_token: token } = await api.admin();
  const { body } = await api.call('GET', '/admin/keys', { token });
  await api.call('POST', `/admin/keys/${body.keys.at(-1).kid}/revoke`, { token });
  const text = await metrics();
  expect(text).toMatch(/latchkey_issuer_key_age_seconds\{.*status="revoked"\} [\d.]+/);
  expect(text).toMatch(/^# HELP latchkey_issuer_key_age_seconds .* revoked ones included/m);
});
