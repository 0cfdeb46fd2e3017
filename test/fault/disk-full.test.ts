import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type RunningLatchkey, startLatchkey } from '../support/run-latchkey.ts';
import { eventually } from '../worker/eventually.ts';

const disk = mkdtempSync(path.join(tmpdir(), 'latchkey-disk-'));
/** Room for a cluster and a little more. Only root may mount one. */
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', disk]).status === 0;
const filler = path.join(disk, 'filler');

describe.skipIf(!mounted)('a disk of its own', () => {
  let service: RunningLatchkey | undefined;
  afterAll(async () => {
    await service?.stop();
    spawnSync('umount', [disk]);
    rmSync(disk, { recursive: true, force: true });
  });

  // Fails when nobody looks at the disk, or at a Postgres that stays without answering.
  it('B6: a full disk is said; when it is freed, the service is ready or has ended', async () => {
    const env = { DATA_DIR: path.join(disk, 'data'), PORT: '0', METRICS_PORT: '0' };
    service = await startLatchkey(['dev'], { ...env, RATE_LIMITS: 'off', KEY_ALGORITHM: 'ES256' });
    const { lines, child } = service;
    const url = String(service.ready.url);
    const register = async () => {
      const email = `${Math.random().toString(36).slice(2)}@example.com`;
      const answer = await fetch(`${url}/auth/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email, password: 'a quiet harbour at dusk' }),
      });
      return answer.status;
    };
    expect(await register()).toBe(201);
    spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=64k']);
    const hasEnded = () => child.exitCode !== null;
    await eventually(async () => hasEnded() || (await register().catch(() => 0)) !== 201, 60_000);
    await eventually(
      async () => lines.some((line) => /the disk that holds DATA_DIR .* is full/.test(line)),
      60_000,
    );
    rmSync(filler);
    await eventually(async () => hasEnded() || (await register().catch(() => 0)) === 201, 120_000);
    if (hasEnded()) expect(child.exitCode).toBe(1);
  }, 400_000);
});
