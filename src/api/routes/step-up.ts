import { stepUp } from '../../app/session/step-up.ts';
import { invalidField } from '../../domain/kernel/errors.ts';
import { withFailureBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { bearer } from '../http/auth.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { tokenSetSchema } from './schemas.ts';
import { optionalProof, proofBody } from './second-factor.ts';
import { tokenReply } from './token-reply.ts';

export function stepUpRoutes(node: Node): Route[] {
  return [
    route({
      method: 'post',
      path: '/auth/step-up',
      summary: 'Prove again to be the user',
      description:
        'The answer has an access token with a new `auth_time`, and `acr` `2fa` if you sent a second ' +
        'factor. It lives `RECENT_AUTHENTICATION_SECONDS` at most and comes without a refresh token: ' +
        'keep the one that you have, which yields tokens as before.',
      tags: ['Sign in'],
      auth: bearer(),
      credential: 'access token, and the second factor or the password',
      floor: true,
      limit: perUser('second_factor'),
      spends: ['login_failure'],
      body: proofBody,
      responses: {
        200: { description: 'The token, the session and the user', schema: tokenSetSchema },
      },
      errors: ['invalid_credentials', 'conflict'],
      handler: async ({ body, caller, context }) => {
        const { userId, sessionId } = caller;
        const proof = optionalProof(body);
        if (proof === null) throw invalidField('totp', 'or recovery_code or password is required');
        const payers = { address: context.address, name: userId };
        return tokenReply(
          await withFailureBudget(node.rateLimits, payers, (payTry) =>
            stepUp(node, { userId, sessionId, proof, payTry }, context),
          ),
        );
      },
    }),
  ];
}
