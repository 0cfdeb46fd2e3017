import { z } from 'zod';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { type Route, route } from '../route.ts';

/**
 * Forward-auth as the documentation shows it. The fast lane answers it before any route is looked
 * for; what it does not recognise, such as a target in absolute form, must not be let through here
 * without its demands.
 */
export function verifyRoutes(): Route[] {
  return ['/auth/verify', '/auth/verify/{rest*}'].map((path) =>
    route({
      method: 'all',
      path,
      summary: 'Whether a bearer token is good, for gateways',
      description:
        'Any method. Answers who it is in `X-Auth-Subject`, `X-Auth-Session`, `X-Auth-Roles` and `X-Auth-Device-Type`.',
      tags: ['Verification'],
      auth: 'bearer',
      query: z.object({
        role: z.string().optional(),
        scope: z.string().optional(),
        aud: z.string().optional(),
      }),
      responses: { 204: { description: 'Good' } },
      errors: ['insufficient_scope', 'not_found'],
      handler: () => {
        throw new LatchkeyError('not_found');
      },
    }),
  );
}
