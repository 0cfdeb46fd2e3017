import type { Counter, Gauge, Registry } from 'prom-client';
import { counter, gauge } from '../../platform/metrics/registry.ts';

export interface MailOutboxMetrics {
  readonly queued: Counter<'kind'>;
  readonly limited: Counter;
  readonly lagSeconds: Gauge;
  readonly stopped: Gauge;
}

export function mailOutboxMetrics(registry: Registry): MailOutboxMetrics {
  return {
    queued: counter(registry, {
      name: 'latchkey_mail_queued_total',
      help: 'Mails that this worker found in the log, by kind, those that a limit left out included',
      labels: ['kind'],
    }),
    limited: counter(registry, {
      name: 'latchkey_mail_limited_total',
      help: 'Notices that were not queued because the person had one of that kind already',
    }),
    lagSeconds: gauge(registry, {
      name: 'latchkey_mail_outbox_lag_seconds',
      help: 'Age of the oldest event that was not looked at for mails; 0 when all were',
    }),
    stopped: gauge(registry, {
      name: 'latchkey_mail_outbox_stopped',
      help: 'Whether this worker cannot follow the log to find mails',
    }),
  };
}
