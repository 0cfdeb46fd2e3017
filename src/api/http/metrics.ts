import type { Counter, Registry } from 'prom-client';
import { counter, histogram } from '../../platform/metrics/registry.ts';

const requestSeconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.6, 1, 2.5, 5];
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export interface HttpMetrics {
  /** One answered request; `route` is the declared path. */
  observeRequest(route: string, method: string, status: number, seconds: number): void;
  readonly refusals: Counter<'code'>;
}

/** What the API answers and refuses, in `registry`. */
export function httpMetrics(registry: Registry): HttpMetrics {
  const requests = counter(registry, {
    name: 'latchkey_http_requests_total',
    help: 'Requests answered, by declared route, method and class of status',
    labels: ['route', 'method', 'status'],
  });
  const duration = histogram(registry, {
    name: 'latchkey_http_request_duration_seconds',
    help: 'From the request headers to the end of the answer',
    labels: ['route', 'method'],
    buckets: requestSeconds,
  });
  return {
    observeRequest: (route, method, status, seconds) => {
      const label = methods.has(method) ? method : 'other';
      requests.inc({ route, method: label, status: `${Math.floor(status / 100)}xx` });
      duration.observe({ route, method: label }, seconds);
    },
    refusals: counter(registry, {
      name: 'latchkey_refusals_total',
      help: 'Requests refused, by error code',
      labels: ['code'],
    }),
  };
}
