import { completeLogin } from '../../app/session/complete-login.ts';
import { logIn } from '../../app/session/log-in.ts';
import { logInByCode } from '../../app/session/log-in-by-code.ts';
import type { LoginRequest } from '../../app/session/login-request.ts';
import { requestMailProof } from '../../app/user/request-mail-proof.ts';
import type { Payers } from '../../domain/kernel/budgets.ts';
import { invalidField } from '../../domain/kernel/errors.ts';
import { otpTtlSeconds } from '../../domain/user/mail-proofs.ts';
import { type PayTry, withFailureBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { sealOtpHandle } from '../../platform/crypto/otp-handle.ts';
import { type NoAuth, none } from '../http/auth.ts';
import { deviceCookie, refreshCookie } from '../http/cookies.ts';
import { guardCookieMode, originPolicy } from '../http/origin-rule.ts';
import { reply } from '../http/reply.ts';
import { type Route, type RouteRequest, route } from '../http/route.ts';
import { withBindingOffer } from './binding-offer.ts';
import { deviceNameOf } from './device-name.ts';
import { credentialsOf, type LoginBody, loginBody, loginForm, nameOf } from './login-body.ts';
import { byAddress, byMailbox } from './payers.ts';
import { provenKey, requireNonce } from './proven-key.ts';
import { mailboxSchema, otpRequestSchema, tokenSetSchema } from './schemas.ts';
import { tokenReply } from './token-reply.ts';

export function loginRoutes(node: Node): Route[] {
  return [
    route({
      method: 'post',
      path: '/auth/login',
      summary: 'Log in with a password or a code from a mail, and a second factor',
      description:
        'A user with a second factor is answered `mfa_required` first: repeat the request with its ' +
        '`challenge` and `totp` or `recovery_code` instead of what it proved. The login may end ' +
        'another session on the same type of device, as the policy of that type says. Keep `device_token` and send it with the next login: then strangers cannot ' +
        'lock your device out. `username` in place of `email` needs `USERNAMES=on`.',
      tags: ['Sign in'],
      auth: none,
      credential:
        'e-mail or user name, and password; `request_id` and code; or challenge and factor',
      floor: true,
      limit: { budget: 'login', by: byAddress },
      spends: ['login_failure', 'login_success'],
      body: loginBody,
      responses: {
        200: { description: 'The tokens, the session and the user', schema: tokenSetSchema },
      },
      errors: [
        'use_dpop_nonce',
        'invalid_dpop_proof',
        'invalid_credentials',
        'mfa_required',
        'invalid_token',
        'invalid_client',
        'forbidden',
        'origin_refused',
      ],
      guard: ({ body, headers, raw }) => {
        loginForm(node, body);
        // Without it a client that has no nonce yet would wait for the floor.
        requireNonce(node, raw);
        if (body.transport === 'cookie') refuseCookieOfConfidential(node, body.client_id);
        if (body.transport !== 'cookie' && refreshCookie(headers.cookie) === null) return;
        guardCookieMode(headers, originPolicy(node.config));
      },
      handler: (request) => answerLogin(node, request),
    }),
    requestOtp(node),
  ];
}

type LoginCall = Pick<
  RouteRequest<LoginBody, undefined, undefined, NoAuth, false>,
  'body' | 'headers' | 'context' | 'raw'
>;

async function answerLogin(node: Node, { body, headers, context, raw }: LoginCall) {
  const credentials = credentialsOf(node, body);
  const payers: Payers = { address: context.address, name: nameOf(credentials) };
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
  const proven = async (payTry: PayTry) => {
    const given = { ...request, payTry };
    switch (credentials.kind) {
      case 'password':
        return logIn(node, { ...given, ...credentials }, context);
      case 'code':
        return logInByCode(node, { ...given, ...credentials }, context);
      case 'second_factor':
        return completeLogin(node, { ...given, ...credentials }, context);
    }
  };
  const issued = await withFailureBudget(node.rateLimits, payers, proven, {
    isKnown: request.deviceToken !== null,
  });
  return withBindingOffer(node, issued, tokenReply(issued));
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
