import { z } from 'zod';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';
import { bearer } from '../http/auth.ts';
import { type Route, route } from '../http/route.ts';
import { verifyForGateways, verifyForwarded } from '../lanes/gateway-check.ts';

const answer =
  'Takes any method. The answer names the caller in `X-Auth-Subject`, `X-Auth-Session`, ' +
  '`X-Auth-Roles` and `X-Auth-Device-Type`. None of them is ever empty: `-` stands for nothing.';

/**
 * Forward-auth. What its fast answers do not meet, such as a target in absolute form, must not be
 * let through here without its demands.
 */
export function verifyRoutes(node: Node): Route[] {
  const facts = {
    method: 'all',
    tags: ['Verification'],
    auth: bearer({ use: 'service' }),
    credential: 'access token of any client; with `aud`, one for that audience',
    responses: {
      204: {
        description: 'Good',
        headers: {
          'X-Auth-Subject': 'The id of the user; `-` for none',
          'X-Auth-Session': 'The id of the session; `-` for none',
          'X-Auth-Roles': 'The roles, with commas between; `-` for none',
          'X-Auth-Device-Type': 'The type of the device; `-` for none',
        },
      },
    },
    errors: [
      'invalid_request',
      'insufficient_scope',
      'insufficient_user_authentication',
      'not_found',
    ],
    handler: () => {
      throw new LatchkeyError('not_found');
    },
  } as const;
  const [inQuery, inHeader] = [verifyForGateways(node), verifyForwarded(node)];
  const verify = ['/auth/verify', '/auth/verify/{rest*}'].map((path) =>
    route({
      ...facts,
      path,
      fast: inQuery,
      summary: 'Whether a bearer token is good, for gateways',
      description: `${answer} Send each parameter at most once and never blank, and no other.`,
      query: z.object({
        role: z.string().optional(),
        scope: z.string().optional(),
        aud: z.string().optional(),
        acr: z.string().optional(),
        max_age: z.string().optional(),
      }),
    }),
  );
  const forward = ['/auth/forward', '/auth/forward/{rest*}'].map((path) =>
    route({
      ...facts,
      path,
      fast: inHeader,
      summary: "The same for gateways that append the client's path and query",
      description:
        `${answer} Latchkey ignores path and query. The gateway may demand more in ` +
        '`X-Auth-Demand: role=…; scope=…; aud=…; acr=…; max_age=…`, each at most once and never ' +
        'blank. With ' +
        '`status=200` in that header the answer is 200 instead of 204, as Envoy wants it.',
    }),
  );
  return [...verify, ...forward];
}
