import type { Registry } from 'prom-client';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { metricsTokenCheck } from '../../platform/metrics/metrics-token.ts';
import { optional } from '../http/auth.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';

/** `GET /metrics` on the main port, for a scraper that presents `token` as its bearer. */
export function metricsRoute(registry: Registry, token: string): Route {
  const isMetricsToken = metricsTokenCheck(token);
  return route({
    method: 'get',
    path: '/metrics',
    summary: 'Metrics in the Prometheus text format',
    tags: ['Operation'],
    auth: optional,
    credential: '`METRICS_TOKEN` as a bearer token; on `METRICS_PORT` none',
    errors: ['invalid_token'],
    responses: { 200: { description: 'The metrics', contentType: 'text/plain' } },
    handler: async ({ accessToken }) => {
      if (accessToken?.scheme !== 'Bearer' || !isMetricsToken(accessToken.text)) {
        throw new LatchkeyError('invalid_token');
      }
      return reply(200, await registry.metrics(), { 'content-type': registry.contentType });
    },
  });
}
