import type { Readiness, ReadinessProbe } from '../../node/readiness.ts';
import { none } from '../http/auth.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { healthSchema } from './schemas.ts';

const tags = ['Operation'];

export function healthRoutes(probe: ReadinessProbe): Route[] {
  const answers = {
    200: { description: 'It can; `degraded` names what it works without', schema: healthSchema },
    503: { description: 'It cannot: `failing` names the parts', schema: healthSchema },
  };
  return [
    route({
      method: 'get',
      path: '/healthz',
      summary: 'Whether the process runs',
      tags,
      auth: none,
      responses: { 200: { description: 'It runs', schema: healthSchema } },
      handler: () => reply(200, { status: 'ok' }),
    }),
    route({
      method: 'get',
      path: '/readyz',
      summary: 'Whether this node can serve, writes included',
      tags,
      auth: none,
      responses: answers,
      handler: async () => readinessReply(await probe.write()),
    }),
    route({
      method: 'get',
      path: '/readyz/verify',
      summary: 'Whether this node can verify tokens',
      description:
        'Stays 200 without a database for as long as the lease holds: gateways use this.',
      tags,
      auth: none,
      responses: answers,
      handler: () => readinessReply(probe.verify()),
    }),
  ];
}

function readinessReply({ ready, failing, degraded }: Readiness) {
  const without = degraded.length === 0 ? {} : { degraded };
  return ready
    ? reply(200, { status: 'ready', ...without })
    : reply(503, { status: 'not_ready', failing, ...without }, { 'retry-after': '1' });
}
