import { z } from 'zod';
import { logIn } from '../../app/session/log-in.ts';
import { logInByCode } from '../../app/session/log-in-by-code.ts';
import type { LoginRequest } from '../../app/session/login-request.ts';
import { requestMailProof } from '../../app/user/request-mail-proof.ts';
import type { Payers } from '../../domain/kernel/budgets.ts';
import { invalidField } from '../../domain/kernel/errors.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { otpTtlSeconds } from '../../domain/user/mail-proofs.ts';
import { withFailureBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { openOtpHandle, sealOtpHandle } from '../../platform/crypto/otp-handle.ts';
import { none } from '../http/auth.ts';
import { deviceCookie, refreshCookie } from '../http/cookies.ts';
import { opaqueTexts } from '../http/opaque-texts.ts';
import { guardCookieMode, originPolicy } from '../http/origin-rule.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { withBindingOffer } from './binding-offer.ts';
import { deviceNameOf } from './device-name.ts';
import { byAddress, byMailbox } from './payers.ts';
import { provenKey, requireNonce } from './proven-key.ts';
import {
  credential,
  deviceSchema,
  mailboxSchema,
  otpRequestSchema,
  text,
  tokenSetSchema,
} from './schemas.ts';
import { tokenReply } from './token-reply.ts';

const anything = text(0, limits.loginStringCodePointsMax);

const audience = z.string().max(2048);

/** What every login may say of the session that it wants. */
const wanted = () => ({
  device: deviceSchema.optional(),
  transport: z.enum(['body', 'cookie']).optional(),
  client_id: z.string().max(200).optional(),
  client_secret: z.string().max(200).optional(),
  audience: z
    .union([audience, z.array(audience).min(1).max(limits.audiencesPerClientMax)])
    .optional(),
  device_token: anything.optional(),
});
const handle = text(0, limits.loginStringCodePointsMax)
  .meta({ description: 'What the request for the code was answered' })
  .register(opaqueTexts);
const byPassword = z.strictObject({ email: credential, password: credential, ...wanted() });
const byCode = z.strictObject({ request_id: handle, otp: credential, ...wanted() });
const login = z.union([byPassword, byCode]);

export function loginRoutes(node: Node): Route[] {
  return [
    route({
      method: 'post',
      path: '/auth/login',
      summary: 'Log in with a password, or with a code from a mail',
      description:
        'The login may end another session on the same type of device, as the policy of that ' +
        'type says. Keep `device_token` and send it with the next login: then strangers cannot ' +
        'lock your device out.',
      tags: ['Sign in'],
      auth: none,
      credential: 'e-mail and password, or `request_id` and code',
      floor: true,
      limit: { budget: 'login', by: byAddress },
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
        if (body.transport === 'cookie') refuseCookieOfConfidential(node, body.client_id);
        if (body.transport !== 'cookie' && refreshCookie(headers.cookie) === null) return;
        guardCookieMode(headers, originPolicy(node.config));
      },
      handler: async ({ body, headers, context, raw }) => {
        const request: LoginRequest = {
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
        const { name, run } = proofOf(node, body);
        const payers: Payers = { address: context.address, name };
        const issued = await withFailureBudget(
          node.rateLimits,
          payers,
          (payTry) => run({ ...request, payTry }, context),
          { isKnown: request.deviceToken !== null },
        );
        return withBindingOffer(node, issued, tokenReply(issued));
      },
    }),
    requestOtp(node),
  ];
}

type WithPayTry = LoginRequest & Pick<Parameters<typeof logIn>[1], 'payTry'>;

/** Whose failures a login counts as, and how it proves that somebody is the user. */
function proofOf(node: Node, body: z.output<typeof login>) {
  if ('email' in body) {
    const { email, password } = body;
    return {
      name: email,
      run: (request: WithPayTry, by: Parameters<typeof logIn>[2]) =>
        logIn(node, { ...request, email, password }, by),
    };
  }
  const asked = openOtpHandle(node.secrets.otpHandleKey, body.request_id);
  return {
    // One name for all handles of an address, known or not, and one for all that are none.
    name: asked?.userId ?? '',
    run: (request: WithPayTry, by: Parameters<typeof logIn>[2]) =>
      logInByCode(node, { ...request, asked, code: body.otp }, by),
  };
}

function requestOtp(node: Node): Route {
  return route({
    method: 'post',
    path: '/auth/request-otp',
    summary: 'Ask for a code by mail, to log in with',
    description:
      'The answer is the same for an address that no user has. Asked again within 30 seconds, ' +
      'Latchkey sends no second mail; later, a new code replaces the one before.',
    tags: ['Sign in'],
    auth: none,
    floor: 'always',
    limit: { budget: 'mail', by: byMailbox },
    body: mailboxSchema,
    responses: {
      202: {
        description: 'A mail is on its way, if a user has the address',
        schema: otpRequestSchema,
      },
    },
    handler: async ({ body, context }) => {
      const asked = await requestMailProof(node, { email: body.email, purpose: 'otp' }, context);
      return reply(202, {
        request_id: sealOtpHandle(node.secrets.otpHandleKey, asked),
        expires_in: otpTtlSeconds,
      });
    },
  });
}

/** Such a client refreshes at the token endpoint, which reads no cookie. */
function refuseCookieOfConfidential({ memory }: Node, clientId: string | undefined): void {
  if (clientId === undefined || memory.client(clientId)?.kind !== 'confidential') return;
  throw invalidField('transport', 'a confidential client takes its refresh token in the body');
}
