import { Registry } from 'prom-client';
import { httpMetrics } from '../../src/api/http/metrics.ts';
import { mailOutboxMetrics } from '../../src/consumers/mail-outbox/metrics.ts';
import { redisModelMetrics } from '../../src/consumers/redis-model/metrics.ts';
import { appendCounts } from '../../src/eventlog/metrics.ts';
import { refusedRowReport } from '../../src/eventlog/refused-rows.ts';
import { nodeMetrics, observeNode } from '../../src/node/metrics.ts';
import { rateLimitsAlone, redisUp } from '../../src/node/redis-metrics.ts';
import { processRegistry } from '../../src/platform/metrics/registry.ts';
import type { PostgresPool } from '../../src/platform/postgres/pool.ts';
import { observeBacklog } from '../../src/worker/backlog.ts';
import { mailMetrics } from '../../src/worker/mail/metrics.ts';
import { workerMetrics } from '../../src/worker/metrics.ts';
import { silentLogger } from './cluster.ts';

interface Registered {
  readonly name: string;
  readonly type: string;
}

/** What each part of a process registers; nothing here is ever scraped. */
const parts = {
  process: () => processRegistry(),
  eventlog: () =>
    into((registry) => {
      appendCounts(registry);
      refusedRowReport(registry, silentLogger);
    }),
  http: () => into(httpMetrics),
  node: () =>
    into((registry) => {
      nodeMetrics(registry);
      observeNode(registry, { pools: {} } as unknown as Parameters<typeof observeNode>[1]);
    }),
  worker: () =>
    into((registry) => {
      workerMetrics(registry);
      observeBacklog(registry, {} as PostgresPool);
    }),
  /** Of a worker that sends mails. */
  mail: () =>
    into((registry) => {
      mailOutboxMetrics(registry);
      mailMetrics(registry);
    }),
  /** With `REDIS_URL` only. */
  redis: () =>
    into((registry) => {
      redisUp(registry);
      rateLimitsAlone(registry);
      redisModelMetrics(registry);
    }),
};

export type Part = keyof typeof parts;

export function registeredBy(...names: Part[]): Registered[] {
  return names.flatMap((name) =>
    (parts[name]().getMetricsAsArray() as unknown as Registered[]).map(({ name, type }) => ({
      name,
      type: String(type),
    })),
  );
}

function into(register: (registry: Registry) => unknown): Registry {
  const registry = new Registry();
  register(registry);
  return registry;
}
