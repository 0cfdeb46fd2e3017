import { z } from 'zod';
import { confirmTotp } from '../../app/user/confirm-totp.ts';
import { enrolTotp } from '../../app/user/enrol-totp.ts';
import { issueRecoveryCodes } from '../../app/user/issue-recovery-codes.ts';
import type { FactorOwner } from '../../app/user/own-factor.ts';
import { removeTotp, removeTotpOf } from '../../app/user/remove-totp.ts';
import { invalidField } from '../../domain/kernel/errors.ts';
import { withFailureBudget } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { bearer } from '../http/auth.ts';
import { id } from '../http/path-parameters.ts';
import { reply } from '../http/reply.ts';
import type { Caller, RequestContext } from '../http/request-context.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { admin } from './admin.ts';
import { credential, enrolmentSchema, recoveryCodesSchema } from './schemas.ts';
import { factorBody, factorFields, optionalFactor } from './second-factor.ts';

const facts = {
  tags: ['Account'],
  auth: bearer(),
  floor: true,
  limit: perUser('second_factor'),
  spends: ['login_failure'],
} as const;

export function totpRoutes(node: Node): Route[] {
  return [
    enrol(node),
    route({
      ...facts,
      method: 'post',
      path: '/auth/totp/confirm',
      summary: 'Confirm the authenticator app by its first code',
      description:
        'From now on a login needs a code. The answer has the recovery codes, which Latchkey never ' +
        'shows again. Every other session of the user ends; this one has to refresh, because its ' +
        'access token is stale.',
      credential: 'access token and the first code',
      body: z.strictObject({ totp: credential }),
      responses: { 200: { description: 'The recovery codes', schema: recoveryCodesSchema } },
      errors: ['invalid_credentials', 'conflict'],
      handler: async ({ body, caller, context }) => {
        const recovery_codes = await withTries(node, { caller, context }, (owner) =>
          confirmTotp(node, { ...owner, code: body.totp }, context),
        );
        return reply(200, { recovery_codes });
      },
    }),
    route({
      ...facts,
      method: 'post',
      path: '/auth/totp/recovery-codes',
      summary: 'Replace the recovery codes',
      description: 'The codes from before are worth nothing any more.',
      credential: 'access token and the second factor',
      body: factorBody,
      responses: { 200: { description: 'The recovery codes', schema: recoveryCodesSchema } },
      errors: ['invalid_credentials', 'conflict'],
      handler: async ({ body, caller, context }) => {
        const factor = optionalFactor(body);
        const recovery_codes = await withTries(node, { caller, context }, (owner) =>
          issueRecoveryCodes(node, { ...owner, factor }, context),
        );
        return reply(200, { recovery_codes });
      },
    }),
    route({
      ...facts,
      method: 'delete',
      path: '/auth/totp',
      summary: 'Remove the second factor',
      description: 'Every other session of the user ends. This one has to refresh.',
      credential: 'access token and the second factor',
      body: factorBody,
      responses: { 204: { description: 'Removed; every other session has ended' } },
      errors: ['invalid_credentials', 'conflict'],
      handler: async ({ body, caller, context }) => {
        const factor = optionalFactor(body);
        await withTries(node, { caller, context }, (owner) =>
          removeTotp(node, { ...owner, factor }, context),
        );
        return reply(204);
      },
    }),
    removeOf(node),
  ];
}

function enrol(node: Node): Route {
  return route({
    ...facts,
    method: 'post',
    path: '/auth/totp/enrol',
    summary: 'Get the secret of an authenticator app',
    description:
      'It is worth nothing before `POST /auth/totp/confirm`. A user with a second factor gives that ' +
      'factor or a recovery code. Others must have logged in or stepped up lately, and an ' +
      'administrator may need an enrolment code (docs/second-factor.md).',
    credential: 'access token, and the second factor of a user who has one',
    body: z.strictObject({ ...factorFields, enrolment_code: credential.optional() }),
    bodyOptional: true,
    responses: { 200: { description: 'The secret, once', schema: enrolmentSchema } },
    errors: ['invalid_credentials', 'insufficient_user_authentication', 'forbidden'],
    handler: async ({ body, caller, context }) => {
      const { enrolment_code: enrolmentCode = null, ...given } = body ?? {};
      const { authentication } = caller;
      const factor = optionalFactor(given);
      const enrolled = await withTries(node, { caller, context }, (owner) =>
        enrolTotp(node, { ...owner, authentication, factor, enrolmentCode }, context),
      );
      return reply(200, enrolled);
    },
  });
}

function removeOf(node: Node): Route {
  return route({
    method: 'delete',
    path: '/admin/users/{id}/totp',
    summary: 'Remove the second factor of a person who lost it',
    description:
      'Every session of the user ends. The password alone logs in again. Remove your own with ' +
      '`DELETE /auth/totp`, which asks for it.',
    tags: ['Administration'],
    auth: admin,
    params: z.object({ id }),
    limit: perUser('administration'),
    responses: { 204: { description: 'Removed, also when there was none' } },
    idempotent: true,
    handler: async ({ params, idempotencyKey, caller, context }) => {
      if (params.id === caller.userId)
        throw invalidField('id', 'is your own: DELETE /auth/totp removes it');
      await removeTotpOf(node, { userId: params.id, idempotencyKey }, context);
      return reply(204);
    },
  });
}

interface Asking {
  readonly caller: Caller;
  readonly context: RequestContext;
}

/** Runs what checks a factor of the caller; wrong ones pay like wrong passwords. */
function withTries<T>(
  { rateLimits }: Node,
  { caller: { userId, sessionId }, context }: Asking,
  work: (owner: FactorOwner) => Promise<T>,
): Promise<T> {
  const payers = { address: context.address, name: userId };
  return withFailureBudget(rateLimits, payers, (payTry) => work({ userId, sessionId, payTry }));
}
