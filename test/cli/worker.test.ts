import { expect, it } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { productionEnv, startLatchkey } from '../support/run-latchkey.ts';

it('B7: a worker has its own address, with health, readiness and only its own metrics', async () => {
  const database = await createTestDatabase();
  const worker = await startLatchkey(['worker'], {
    ...productionEnv,
    DATABASE_URL: database.appUrl,
  });
  expect(worker.ready).toMatchObject({ environment: 'prod', host: '127.0.0.1' });
  const ask = (page: string) => fetch(`http://127.0.0.1:${worker.ready.port}${page}`);
  expect((await ask('/healthz')).status).toBe(200);
  expect((await ask('/readyz')).status).toBe(200);
  const metrics = await (await ask('/metrics')).text();
  expect(metrics).toContain('process_cpu_seconds_total');
  expect(metrics).toContain('latchkey_job_runs_total');
  expect(metrics).toContain('latchkey_appends_total');
  expect(metrics).not.toMatch(/latchkey_(lease|http|login|verif|refresh|revocation_poll)/);
  expect(await worker.stop()).toBe(0);
  await database.drop();
});
