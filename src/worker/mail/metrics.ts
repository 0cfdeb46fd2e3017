import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { counter, gauge, histogram } from '../../platform/metrics/registry.ts';

export interface MailMetrics {
  readonly deliveries: Counter<'kind' | 'outcome'>;
  readonly seconds: Histogram;
  readonly oldest: Gauge;
  readonly serverFailing: Gauge;
}

/** How a try to deliver a mail ended. `retried`: it is tried again later. */
export type DeliveryOutcome = 'sent' | 'skipped' | 'retried' | 'refused';

export function mailMetrics(registry: Registry): MailMetrics {
  return {
    deliveries: counter(registry, {
      name: 'latchkey_mail_deliveries_total',
      help: 'Tries to deliver a mail by kind and outcome: sent, skipped, retried or refused',
      labels: ['kind', 'outcome'],
    }),
    seconds: histogram(registry, {
      name: 'latchkey_mail_send_seconds',
      help: 'How long the server took to accept a mail',
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60],
    }),
    oldest: gauge(registry, {
      name: 'latchkey_mail_oldest_seconds',
      help: 'Age of the oldest mail that waits to be delivered, on any worker; 0 when none waits',
    }),
    serverFailing: gauge(registry, {
      name: 'latchkey_mail_server_failing',
      help: 'Whether the last try of this worker did not reach a mail server that takes mails',
    }),
  };
}
