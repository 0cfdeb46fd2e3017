import { z } from 'zod';
import { listSessions } from '../../app/session/find-sessions.ts';
import { revokeSession } from '../../app/session/revoke-session.ts';
import { changeProfile } from '../../app/user/change-profile.ts';
import { disableUser } from '../../app/user/disable-user.ts';
import { enableUser } from '../../app/user/enable-user.ts';
import { eraseUser } from '../../app/user/erase-user.ts';
import { pageOfUsers, usersByName } from '../../app/user/find-users.ts';
import { registerUser, registrationId } from '../../app/user/register-user.ts';
import { unlockUser } from '../../app/user/unlock-user.ts';
import { acceptedUsername } from '../../app/user/username.ts';
import { limits } from '../../domain/kernel/limits.ts';
import type { Node } from '../../node/node.ts';
import { id } from '../http/path-parameters.ts';
import { reply } from '../http/reply.ts';
import { perUser, type Route, route } from '../http/route.ts';
import { admin } from './admin.ts';
import {
  registeredSchema,
  sessionListSchema,
  text,
  usernameText,
  userPageSchema,
} from './schemas.ts';

const loginText = (min: number) => text(min, limits.loginStringCodePointsMax);

const newUser = z.strictObject({
  email: loginText(1),
  password: loginText(0).optional(),
  username: usernameText.optional(),
  roles: z.array(z.string()).max(limits.rolesPerUserMax).optional(),
});

const page = z.object({
  email: z.string().optional(),
  username: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(200).optional(),
});

const tags = ['Administration'];

export function userRoutes(node: Node): Route[] {
  return [
    route({
      method: 'get',
      path: '/admin/users',
      summary: 'Users, newest first, or the one with an address or a user name',
      description:
        'A page may hold fewer users than `limit`, and none: go on until `next_cursor` is `null`.',
      tags,
      auth: admin,
      query: page,
      responses: { 200: { description: 'A page of users', schema: userPageSchema } },
      handler: async ({ query: { email, username, limit, cursor } }) =>
        reply(
          200,
          email === undefined && username === undefined
            ? await pageOfUsers(node, { limit, cursor: cursor ?? null })
            : await usersByName(node, { email, username }),
        ),
    }),
    route({
      method: 'post',
      path: '/admin/users',
      summary: 'Make a user',
      description: 'Without a password the user exists and cannot log in yet.',
      tags,
      auth: admin,
      limit: perUser('administration'),
      body: newUser,
      responses: { 201: { description: 'The user', schema: registeredSchema } },
      errors: ['conflict', 'password_refused'],
      idempotent: true,
      handler: async ({ body, idempotencyKey, context }) => {
        const user = await registerUser(
          node,
          {
            email: body.email,
            password: body.password ?? null,
            username:
              body.username === undefined ? undefined : acceptedUsername(node, body.username),
            roles: body.roles ?? [],
            emailVerified: false,
            userId: registrationId(context, idempotencyKey),
          },
          context,
        );
        return reply(201, { user });
      },
    }),
    usernameRoute(node),
    userSwitch(node, 'disable'),
    userSwitch(node, 'enable'),
    userSwitch(node, 'unlock'),
    erasure(node),
    ...sessionsOfUsers(node),
  ];
}

function usernameRoute(node: Node): Route {
  return route({
    method: 'put',
    path: '/admin/users/{id}/username',
    summary: 'Give a user a name to log in with',
    description: 'The name that the user had is free again. Needs `USERNAMES=on`.',
    tags,
    auth: admin,
    limit: perUser('administration'),
    params: z.object({ id }),
    body: z.strictObject({ username: usernameText }),
    responses: { 204: { description: 'The user has the name' } },
    errors: ['conflict', 'not_found'],
    handler: async ({ params, body, context }) => {
      const username = acceptedUsername(node, body.username);
      const change = { userId: params.id, patch: { username }, chosenBy: 'administrator' } as const;
      await changeProfile(node, change, context);
      return reply(204);
    },
  });
}

const switches = {
  disable: { run: disableUser, summary: 'Disable a user and end every session' },
  enable: { run: enableUser, summary: 'Let a disabled user log in again, and lift a lock' },
  unlock: { run: unlockUser, summary: 'Lift the lock that wrong passwords brought' },
} as const;

function userSwitch(node: Node, verb: keyof typeof switches): Route {
  const { run, summary } = switches[verb];
  return route({
    method: 'post',
    path: `/admin/users/{id}/${verb}`,
    summary,
    tags,
    auth: admin,
    params: z.object({ id }),
    limit: perUser('administration'),
    responses: { 204: { description: 'Done, also when it had been before' } },
    errors: ['conflict'],
    idempotent: true,
    handler: async ({ params, idempotencyKey, context }) => {
      const input = { userId: params.id, idempotencyKey };
      await run(node, input, context);
      return reply(204);
    },
  });
}

function erasure(node: Node): Route {
  return route({
    method: 'delete',
    path: '/admin/users/{id}',
    summary: 'Erase a user and end every session',
    description: 'The address is free again. Nobody can undo it.',
    tags,
    auth: admin,
    params: z.object({ id }),
    limit: perUser('administration'),
    responses: { 204: { description: 'Erased, also when it had been before' } },
    errors: ['conflict'],
    handler: async ({ params, context }) => {
      await eraseUser(node, { userId: params.id }, context);
      return reply(204);
    },
  });
}

function sessionsOfUsers(node: Node): Route[] {
  return [
    route({
      method: 'get',
      path: '/admin/users/{id}/sessions',
      summary: 'The live sessions of a user, newest first',
      tags,
      auth: admin,
      params: z.object({ id }),
      responses: { 200: { description: 'The live sessions', schema: sessionListSchema } },
      handler: async ({ params, caller }) =>
        reply(200, { sessions: await listSessions(node, params.id, caller.sessionId) }),
    }),
    route({
      method: 'delete',
      path: '/admin/sessions/{id}',
      summary: 'End a session of any user',
      tags,
      auth: admin,
      params: z.object({ id }),
      spends: ['session_end'],
      responses: { 204: { description: 'Ended, also when it had ended before' } },
      handler: async ({ params, context }) => {
        const input = { sessionId: params.id, reason: 'admin', mustExist: true } as const;
        await revokeSession(node, input, context);
        return reply(204);
      },
    }),
  ];
}
