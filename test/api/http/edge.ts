import { expect } from 'vitest';
import { z } from 'zod';
import { bearer, client, none } from '../../../src/api/http/auth.ts';
import { problemSchema } from '../../../src/api/http/error-schemas.ts';
import { id, segment } from '../../../src/api/http/path-parameters.ts';
import { reply } from '../../../src/api/http/reply.ts';
import { route } from '../../../src/api/http/route.ts';
import { metaOf } from '../../../src/app/by.ts';
import { LatchkeyError } from '../../../src/domain/kernel/errors.ts';
import { startTestApp } from './test-app.ts';

const echo = z.strictObject({
  email: z.string(),
  device: z.strictObject({ type: z.enum(['web', 'iot']) }).optional(),
});
const ok = { 200: { description: 'ok' } };
const base = { summary: 'test', tags: ['test'], responses: ok } as const;

export const edgeRoutes = [
  route({
    ...base,
    method: 'post',
    path: '/auth/echo',
    auth: none,
    body: echo,
    handler: ({ body }) => reply(200, body),
  }),
  route({
    ...base,
    method: 'post',
    path: '/auth/logout',
    auth: none,
    body: z.strictObject({ refresh_token: z.string().optional() }),
    bodyOptional: true,
    handler: () => reply(204),
  }),
  route({
    ...base,
    method: 'get',
    path: '/auth/things/{thing}',
    params: z.object({ thing: segment }),
    auth: none,
    query: z.object({ limit: z.coerce.number().int().max(100).optional() }),
    handler: ({ params, query, context }) =>
      reply(200, { id: params.thing, limit: query.limit ?? null, meta: metaOf(context) }),
  }),
  route({
    ...base,
    method: 'delete',
    path: '/auth/sessions/{id}',
    params: z.object({ id }),
    auth: bearer(),
    handler: ({ params }) => reply(200, { id: params.id }),
  }),
  route({
    ...base,
    method: 'get',
    path: '/auth/mine',
    auth: bearer(),
    handler: ({ caller }) => reply(200, { user: caller.userId }),
  }),
  route({
    ...base,
    method: 'get',
    path: '/admin/users',
    auth: bearer({ use: 'administration', role: 'latchkey:admin' }),
    handler: () => reply(200, {}),
  }),
  route({
    ...base,
    method: 'post',
    path: '/oauth2/introspect',
    auth: client,
    accepts: 'form',
    failsAs: 'oauth',
    body: z.object({ token: z.string() }),
    handler: ({ client, body }) => reply(200, { client: client.clientId, token: body.token }),
  }),
  route({
    ...base,
    method: 'get',
    path: '/keys',
    auth: none,
    cors: 'public',
    handler: () => reply(200, { keys: [] }, { 'cache-control': 'public, max-age=60' }),
  }),
  route({
    ...base,
    method: 'get',
    path: '/broken',
    auth: none,
    handler: () => {
      throw new Error('password=hunter2 at secret.ts:1');
    },
  }),
  route({
    ...base,
    method: 'get',
    path: '/busy',
    auth: none,
    handler: () => {
      throw new LatchkeyError('unavailable', { detail: 'pool', retryAfterSeconds: 1.2 });
    },
  }),
];

type Answer = Awaited<ReturnType<typeof sendTo>>;

/** An application with a route of each kind, and the ways to talk to it. */
export async function startEdge() {
  const app = await startTestApp(edgeRoutes);
  const send = (path: string, init: RequestInit = {}) => sendTo(app.url + path, init);
  const post = (
    path: string,
    body: string | Uint8Array<ArrayBuffer>,
    type = 'application/json',
    headers: Record<string, string> = {},
  ) => send(path, { method: 'POST', body, headers: { 'content-type': type, ...headers } });
  return { ...app, send, post };
}

async function sendTo(url: string, init: RequestInit) {
  const response = await fetch(url, init);
  const body = await response.text();
  const json = () => JSON.parse(body);
  return { status: response.status, headers: response.headers, body, json };
}

/** Asserts that an answer is a whole problem document, and returns what differs between them. */
export async function problem(answer: Promise<Answer>) {
  const { status, headers, json } = await answer;
  expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(headers.get('cache-control')).toBe('no-store');
  const document = problemSchema.parse(json());
  expect(document.status).toBe(status);
  expect(headers.get('x-request-id')).toBe(document.request_id);
  return { status, code: document.code, errors: document.errors?.map(({ path }) => path) };
}
