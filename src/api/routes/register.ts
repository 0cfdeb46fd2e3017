import { z } from 'zod';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { registerUser } from '../commands/register-user.ts';
import { useInvite } from '../commands/use-invite.ts';
import { idempotencyKey } from '../idempotency-key.ts';
import { reply } from '../reply.ts';
import { type Route, route } from '../route.ts';
import { registeredSchema, text } from '../schemas.ts';
import type { Services } from '../services.ts';

const registration = z.strictObject({
  email: text(1, limits.loginStringCodePointsMax),
  password: text(0, limits.loginStringCodePointsMax),
  invite: z.string().min(1).max(200).optional(),
});

export function registerRoutes(services: Services): Route[] {
  return [
    route({
      method: 'post',
      path: '/auth/register',
      summary: 'Register a user',
      tags: ['Sign in'],
      auth: 'none',
      body: registration,
      responses: { 201: { description: 'Registered', schema: registeredSchema } },
      errors: ['forbidden', 'conflict', 'password_refused', 'rate_limited', 'unavailable'],
      handler: async ({ body, headers, context }) => {
        const { config, rateLimits } = services;
        if (config.registration === 'closed') {
          throw new LatchkeyError('forbidden', { detail: 'registration is closed' });
        }
        await rateLimits.consume('register', context.clientAddress, body.email);
        const join =
          config.registration === 'invite' ? await useInvite(services, body.invite) : undefined;
        const user = await registerUser(
          services,
          {
            email: body.email,
            password: body.password,
            roles: [],
            emailVerified: false,
            idempotencyKey: idempotencyKey(headers),
            ...(join === undefined ? {} : { join }),
          },
          context,
        );
        return reply(201, { user });
      },
    }),
  ];
}
