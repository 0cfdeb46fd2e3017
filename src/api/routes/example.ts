import { bearer } from '../http/auth.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { dashboardSchema, protectedSchema } from './schemas.ts';

const tags = ['Example'];
/**
 * A role of the application, free for it to name; `latchkey:admin` is Latchkey's own and says
 * nothing here.
 */
const dashboardRole = 'admin';

/** What a protected service looks like: it trusts the verified token and asks nobody. */
export function exampleRoutes(): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/protected',
      summary: 'A resource for everybody who is logged in',
      tags,
      auth: bearer({ use: 'service' }),
      responses: { 200: { description: 'Who asks', schema: protectedSchema } },
      handler: ({ caller }) =>
        reply(200, {
          message: 'You are logged in.',
          user_id: caller.userId,
          session_id: caller.sessionId,
          roles: caller.roles,
        }),
    }),
    route({
      method: 'get',
      path: '/api/admin/dashboard',
      summary: 'A resource for the role `admin`',
      tags,
      auth: bearer({ use: 'service', role: dashboardRole }),
      responses: { 200: { description: 'The dashboard', schema: dashboardSchema } },
      handler: ({ caller }) =>
        reply(200, { message: 'Welcome to the dashboard.', user_id: caller.userId }),
    }),
  ];
}
