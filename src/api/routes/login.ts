import { z } from 'zod';
import { logIn } from '../../app/session/log-in.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { withFailureBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { none } from '../http/auth.ts';
import { deviceCookie, refreshCookie } from '../http/cookies.ts';
import { guardCookieMode, originPolicy } from '../http/origin-rule.ts';
import { type Route, route } from '../http/route.ts';
import { withBindingOffer } from './binding-offer.ts';
import { deviceNameOf } from './device-name.ts';
import { provenKey, requireNonce } from './proven-key.ts';
import { credential, deviceSchema, text, tokenSetSchema } from './schemas.ts';
import { tokenReply } from './token-reply.ts';

const anything = text(0, limits.loginStringCodePointsMax);

const audience = z.string().max(2048);
const login = z.strictObject({
  email: credential,
  password: credential,
  device: deviceSchema.optional(),
  transport: z.enum(['body', 'cookie']).optional(),
  client_id: z.string().max(200).optional(),
  client_secret: z.string().max(200).optional(),
  audience: z
    .union([audience, z.array(audience).min(1).max(limits.audiencesPerClientMax)])
    .optional(),
  device_token: anything.optional(),
});

export function loginRoutes(node: Node): Route[] {
  return [
    route({
      method: 'post',
      path: '/auth/login',
      summary: 'Log in with a password',
      description:
        'The login may end another session on the same type of device, as the policy of that ' +
        'type says. Keep `device_token` and send it with the next login: then strangers cannot ' +
        'lock your device out.',
      tags: ['Sign in'],
      auth: none,
      credential: 'e-mail and password',
      floor: true,
      limit: {
        budget: 'login',
        by: ({ body, context }) => ({ address: context.address, name: body.email }),
      },
      spends: ['login_failure', 'login_success'],
      body: login,
      responses: {
        200: { description: 'The tokens, the session and the user', schema: tokenSetSchema },
      },
      errors: [
        'use_dpop_nonce',
        'invalid_dpop_proof',
        'invalid_credentials',
        'invalid_client',
        'forbidden',
        'origin_refused',
      ],
      guard: ({ body, headers, raw }) => {
        // Without it a client that has no nonce yet would wait for the floor.
        requireNonce(node, raw);
        if (body.transport !== 'cookie' && refreshCookie(headers.cookie) === null) return;
        guardCookieMode(headers, originPolicy(node.config));
      },
      handler: async ({ body, headers, context, raw }) => {
        const payers = { address: context.address, name: body.email };
        const input = {
          email: body.email,
          password: body.password,
          device: {
            type: body.device?.type ?? 'web',
            name: body.device?.name ?? deviceNameOf(context.userAgent),
          },
          transport: body.transport ?? 'body',
          clientId: body.client_id ?? null,
          clientSecret: body.client_secret ?? null,
          audience: typeof body.audience === 'string' ? [body.audience] : (body.audience ?? null),
          key: provenKey(node, raw, context),
          deviceToken: body.device_token ?? deviceCookie(headers.cookie),
        };
        const issued = await withFailureBudget(
          node.rateLimits,
          payers,
          (payTry) => logIn(node, { ...input, payTry }, context),
          { isKnown: input.deviceToken !== null },
        );
        return withBindingOffer(node, issued, tokenReply(issued));
      },
    }),
  ];
}
