import { describe, expect, it } from 'vitest';
import { createForwardingWatch } from '../../../src/api/http/untrusted-forwarding.ts';
import { parseTrustedProxies } from '../../../src/platform/client-address.ts';
import { createTestDatabase } from '../../support/postgres.ts';
import { productionEnv, startLatchkey } from '../../support/run-latchkey.ts';

function watch(trusted: string[]) {
  const warnings: { fields: object; message: string }[] = [];
  const look = createForwardingWatch(parseTrustedProxies(trusted), {
    warn: (fields, message) => warnings.push({ fields, message }),
  });
  const ask = (remoteAddress: string, headers: Record<string, string>) =>
    look({ headers, socket: { remoteAddress } } as unknown as Parameters<typeof look>[0]);
  return { warnings, ask };
}

describe('a peer outside TRUSTED_PROXIES that says for whom it asks', () => {
  it.each(['x-forwarded-for', 'forwarded'])('B9: is warned about once, by %s', (header) => {
    const { warnings, ask } = watch([]);
    ask('10.0.0.5', {});
    ask('10.0.0.5', { [header]: '203.0.113.9' });
    ask('10.0.0.6', { [header]: '203.0.113.9' });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ fields: { header, peer: '10.0.0.5' } });
    expect(warnings[0]!.message).toContain('TRUSTED_PROXIES');
  });

  it('B9: is not named when its address may be a person’s, nor the address that it reports', () => {
    const { warnings, ask } = watch([]);
    ask('203.0.113.9', { 'x-forwarded-for': '198.51.100.7' });
    expect(JSON.stringify(warnings)).not.toMatch(/203\.0|198\.51/);
  });

  it('B9: a trusted proxy is not warned about', () => {
    const { warnings, ask } = watch(['10.0.0.0/8']);
    ask('10.0.0.5', { 'x-forwarded-for': '203.0.113.9' });
    expect(warnings).toEqual([]);
  });

  it('B9: a real node says it in its log', async () => {
    const database = await createTestDatabase();
    const node = await startLatchkey(['serve'], {
      ...productionEnv,
      DATABASE_URL: database.appUrl,
    });
    const ask = () =>
      fetch(`http://127.0.0.1:${node.ready.port}/healthz`, {
        headers: { 'x-forwarded-for': '203.0.113.9' },
      });
    expect([(await ask()).status, (await ask()).status]).toEqual([200, 200]);
    await node.stop();
    const warnings = node.lines.filter((line) => line.includes('TRUSTED_PROXIES does not name'));
    expect(warnings).toHaveLength(1);
    await database.drop();
  });
});
