import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { ForeignModelError } from '../../../src/consumers/redis-model/foreign-model-error.ts';
import { redisModelMetrics } from '../../../src/consumers/redis-model/metrics.ts';
import { Trouble } from '../../../src/consumers/redis-model/trouble.ts';
import { newId } from '../../../src/platform/crypto/new-id.ts';
import { RedisUnavailableError } from '../../../src/platform/redis/link.ts';

/** So long a failure is new. */
const graceMs = 5_000;

const away = new RedisUnavailableError('away');
const refused = new RedisUnavailableError('refused');
const foreign = new ForeignModelError(newId());

function someTrouble() {
  const clock = { ms: 0 };
  const said: unknown[] = [];
  const { stopped } = redisModelMetrics(new Registry());
  const trouble = new Trouble({
    metrics: { stopped },
    log: { error: (fields) => void said.push((fields as { why: unknown }).why) },
    now: () => clock.ms,
  });
  const shown = async () =>
    (await stopped.get()).values.filter(({ value }) => value === 1).map(({ labels }) => labels.why);
  return { clock, said, trouble, shown };
}

describe('what keeps the model from following the log', () => {
  it('is nothing at first, and nothing while it is new', async () => {
    const { clock, trouble, shown } = someTrouble();
    expect(trouble.why).toBeNull();
    trouble.failed(away);
    clock.ms = graceMs - 1;
    trouble.failed(away);
    expect([trouble.why, await shown()]).toEqual([null, []]);
  });

  it('is the last failure, once they have lasted, and is said once', async () => {
    const { clock, said, trouble, shown } = someTrouble();
    trouble.failed(away);
    clock.ms = graceMs;
    trouble.failed(refused);
    trouble.failed(refused);
    expect([trouble.why, await shown(), said]).toEqual(['refused', ['refused'], ['refused']]);
    trouble.failed(foreign);
    expect([trouble.why, await shown()]).toEqual(['foreign', ['foreign']]);
  });

  it('is over with the next success, and a later failure is new', async () => {
    const { clock, trouble, shown } = someTrouble();
    trouble.failed(foreign);
    clock.ms = graceMs;
    trouble.failed(foreign);
    trouble.over();
    expect([trouble.why, await shown()]).toEqual([null, []]);
    trouble.failed(foreign);
    expect(trouble.why).toBeNull();
  });
});
