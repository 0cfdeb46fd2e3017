import { deviceTypes } from '@latchkey/contract/device-type';
import { z } from 'zod';
import { listSessions } from '../../app/session/find-sessions.ts';
import { refreshSession } from '../../app/session/refresh-session.ts';
import { revokeAllSessions } from '../../app/session/revoke-all-sessions.ts';
import { revokeSession } from '../../app/session/revoke-session.ts';
import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';
import { bearer, optional } from '../http/auth.ts';
import { boundCookie, clearBoundCookie, clearRefreshCookie } from '../http/cookies.ts';
import { skippedReason } from '../http/dbsc-headers.ts';
import { opaqueTexts } from '../http/opaque-texts.ts';
import { id } from '../http/path-parameters.ts';
import { type Reply, reply } from '../http/reply.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { tokensForLogout, tokensForRefresh } from './presented-tokens.ts';
import { provenKey } from './proven-key.ts';
import { endedSchema, sessionListSchema, tokenSetSchema } from './schemas.ts';
import { tokenReply } from './token-reply.ts';

const presented = z.strictObject({
  refresh_token: z.string().min(1).register(opaqueTexts).optional(),
});
const refreshed = presented.extend({
  client_id: z.string().max(200).optional(),
});
const tags = ['Sessions'];

export function sessionRoutes(node: Node): Route[] {
  return [
    refresh(node),
    logout(node),
    route({
      method: 'post',
      path: '/auth/logout-all',
      summary: 'End all sessions, or the chosen ones',
      tags,
      auth: bearer(),
      limit: perUser('logout_all'),
      body: z.strictObject({
        except_current: z.boolean().optional(),
        device_type: z.enum(deviceTypes).optional(),
      }),
      bodyOptional: true,
      responses: { 200: { description: 'How many sessions ended', schema: endedSchema } },
      handler: async ({ body, caller, context }) => {
        const ended = await revokeAllSessions(
          node,
          {
            userId: caller.userId,
            exceptSessionId: body?.except_current === true ? caller.sessionId : null,
            deviceType: body?.device_type ?? null,
          },
          context,
        );
        return reply(200, { ended });
      },
    }),
    route({
      method: 'get',
      path: '/auth/sessions',
      summary: 'The live sessions of the caller, newest first',
      tags,
      auth: bearer(),
      responses: { 200: { description: 'The live sessions', schema: sessionListSchema } },
      handler: async ({ caller }) =>
        reply(200, {
          sessions: await listSessions(node, caller.userId, caller.sessionId),
        }),
    }),
    route({
      method: 'delete',
      path: '/auth/sessions/{id}',
      summary: 'End one session of the caller',
      tags,
      auth: bearer(),
      params: z.object({ id }),
      spends: ['session_end'],
      responses: { 204: { description: 'Ended, also when it had ended before' } },
      handler: async ({ caller, params, context }) => {
        await revokeSession(
          node,
          { sessionId: params.id, reason: 'logout', ownerId: caller.userId, mustExist: true },
          context,
        );
        return reply(204);
      },
    }),
  ];
}

function refresh(node: Node): Route {
  return route({
    method: 'post',
    path: '/auth/refresh',
    summary: 'Exchange a refresh token for its successor',
    description:
      'If the first answer was lost, a repeat gets the same successor (docs/sessions.md). A ' +
      'confidential client refreshes at `/oauth2/token`.',
    tags: ['Sign in'],
    auth: optional,
    credential: 'refresh token or cookie',
    refreshCookie: true,
    spends: ['refresh'],
    body: refreshed,
    bodyOptional: true,
    responses: {
      200: { description: 'The tokens, the session and the user', schema: tokenSetSchema },
    },
    errors: [
      'invalid_token',
      'use_dpop_nonce',
      'invalid_dpop_proof',
      'invalid_client',
      'session_ended',
      'session_superseded',
      'device_proof_required',
      'origin_refused',
    ],
    idempotent: true,
    handler: async ({ body, headers, accessToken, idempotencyKey, context, raw }) => {
      const places = { accessToken, jkt: null, inBody: body.refresh_token, headers };
      const { hasRefreshToken, refreshToken } = await tokensForRefresh(node, places);
      if (!hasRefreshToken) {
        throw invalidField('refresh_token', 'is required without the refresh cookie');
      }
      await node.rateLimits.take('refresh', { address: context.address });
      const key = provenKey(node, raw, context);
      const pay = async () => {
        await node.rateLimits.take('refresh', { sessionId: refreshToken!.sessionId });
      };
      const skipped = skippedReason(headers);
      if (skipped !== null) node.metrics.deviceBinding.inc({ step: 'skipped', result: skipped });
      const input = {
        refreshToken,
        boundCookie: boundCookie(headers.cookie),
        idempotencyKey,
        client: { endpoint: 'refresh', namedClientId: body.client_id ?? null },
        requested: null,
        key,
        pay,
      } as const;
      return tokenReply(await refreshSession(node, input, context));
    },
  });
}

function logout(node: Node): Route {
  return route({
    method: 'post',
    path: '/auth/logout',
    summary: 'End the session of the token that is presented',
    description: 'You may repeat it, and the access token may have expired.',
    tags: ['Sign in'],
    auth: optional,
    credential: 'access token (also an expired one), refresh token or cookie',
    refreshCookie: true,
    spends: ['session_end'],
    body: presented,
    bodyOptional: true,
    responses: { 204: { description: 'Ended, also when it had ended before' } },
    errors: ['invalid_token', 'use_dpop_nonce', 'invalid_dpop_proof', 'origin_refused'],
    handler: async ({ body, headers, accessToken, context, raw }): Promise<Reply> => {
      const boundToken = accessToken?.scheme === 'DPoP' ? accessToken.text : null;
      const jkt = provenKey(node, raw, context, boundToken)?.jkt ?? null;
      const places = { accessToken, jkt, inBody: body.refresh_token, headers };
      const tokens = await tokensForLogout(node, places);
      const { bearer, hasRefreshToken, refreshToken, cookieCounts } = tokens;
      const sessionId = bearer?.sid ?? refreshToken?.sessionId ?? null;
      const isForeign = hasRefreshToken && refreshToken === null;
      // A cookie that is not ours any more has no session left to end: the browser may drop it.
      const hasNoToken = sessionId === null && !tokens.bearerHasEnded;
      if (!cookieCounts && (isForeign || hasNoToken)) {
        throw new LatchkeyError('invalid_token', { detail: 'no token of ours' });
      }
      if (bearer !== null) context.actor = { type: 'user', id: bearer.sub };
      // What is malformed is said before the session ends: a repeat would find nothing to remove.
      const isBound = boundCookie(headers.cookie) !== null;
      if (sessionId !== null) {
        await revokeSession(node, { sessionId, reason: 'logout', jkt }, context);
      }
      if (!cookieCounts) return reply(204);
      const cleared = [clearRefreshCookie(), ...(isBound ? [clearBoundCookie()] : [])];
      return reply(204, undefined, { 'set-cookie': cleared });
    },
  });
}
