import { z } from 'zod';
import { logIn } from '../../app/session/log-in.ts';
import type { IssuedTokens } from '../../app/session/token-set.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { withFailureBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { deviceCookie, refreshCookie, setDeviceCookie, setRefreshCookie } from '../http/cookies.ts';
import { withFloor } from '../http/login-floor.ts';
import { guardCookieMode, type OriginPolicy } from '../http/origin-rule.ts';
import { type Reply, reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { deviceNameOf } from './device-name.ts';
import { deviceSchema, text, tokenSetSchema } from './schemas.ts';

const anything = text(0, limits.loginStringCodePointsMax);

const audience = z.string().max(2048);
const login = z.strictObject({
  email: anything,
  password: anything,
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
  const { config, rateLimits, heldRefusals, metrics } = node;
  return [
    route({
      method: 'post',
      path: '/auth/login',
      summary: 'Log in with a password',
      description:
        'A session of the same device type may be ended by it, as its policy says. ' +
        'Keep `device_token` and send it with the next login: strangers cannot lock out a device ' +
        'that has logged in before.',
      tags: ['Sign in'],
      auth: 'none',
      spends: ['login', 'login_failure', 'login_success'],
      body: login,
      responses: { 200: { description: 'Logged in', schema: tokenSetSchema } },
      errors: [
        'invalid_credentials',
        'invalid_client',
        'forbidden',
        'origin_refused',
        'rate_limited',
        'unavailable',
      ],
      handler: async ({ body, headers, context, raw }) => {
        const transport = body.transport ?? 'body';
        if (transport === 'cookie' || refreshCookie(headers.cookie) !== null) {
          guardCookieMode(headers, originPolicy(node));
        }
        const payers = { address: context.address, name: body.email };
        const input = {
          email: body.email,
          password: body.password,
          device: {
            type: body.device?.type ?? 'web',
            name: body.device?.name ?? deviceNameOf(context.userAgent),
          },
          transport,
          clientId: body.client_id ?? null,
          clientSecret: body.client_secret ?? null,
          audience: typeof body.audience === 'string' ? [body.audience] : (body.audience ?? null),
          deviceToken: body.device_token ?? deviceCookie(headers.cookie),
        };
        const floor = {
          floorMs: config.loginFloorMs,
          arrivedAt: context.arrivedAt,
          onOverrun: () => metrics.loginFloorOverruns.inc(),
          hold: (ms: number) => heldRefusals.hold(ms, raw.socket),
        };
        const issued = await withFloor(floor, () => {
          // Within the floor: who is over the budget has to wait for each answer.
          rateLimits.take('login', payers);
          return withFailureBudget(
            rateLimits,
            payers,
            (payTry) => logIn(node, { ...input, payTry }, context),
            { isKnown: input.deviceToken !== null },
          );
        });
        return tokenReply(issued);
      },
    }),
  ];
}

/** A TokenSet, with the refresh and the device token in cookies when the session asked for that. */
export function tokenReply(issued: IssuedTokens): Reply {
  const { refreshToken, deviceToken, transport, body, refreshExpiresInSeconds } = issued;
  if (transport === 'body') return reply(200, body);
  const cookies = [
    ...(refreshToken === null ? [] : [setRefreshCookie(refreshToken, refreshExpiresInSeconds)]),
    ...(deviceToken === null ? [] : [setDeviceCookie(deviceToken)]),
  ];
  return reply(200, body, cookies.length === 0 ? undefined : { 'set-cookie': cookies });
}

export function originPolicy({ config }: Pick<Node, 'config'>): OriginPolicy {
  return {
    issuerOrigin: new URL(config.issuer).origin,
    allowedOrigins: config.allowedOrigins,
  };
}
