import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { none } from '../../../src/api/http/auth.ts';
import type { FastAnswerFactory } from '../../../src/api/http/fast-answer.ts';
import { reply, sendReply } from '../../../src/api/http/reply.ts';
import { type Method, type Route, route } from '../../../src/api/http/route.ts';
import { startTestApp } from './test-app.ts';

let made = 0;
/** Answers all but what carries `x-pass`. */
const fast: FastAnswerFactory = () => {
  made += 1;
  return (request, response) => {
    if (request.headers['x-pass'] !== undefined) return false;
    sendReply(response, { status: 200, body: 'lane', headers: { 'content-type': 'text/plain' } });
    return true;
  };
};
const declared = (method: Method | 'all', path: string, answer?: FastAnswerFactory): Route =>
  route({
    method,
    path,
    summary: 'test',
    tags: ['test'],
    auth: none,
    responses: { 200: { description: 'ok' } },
    ...(answer === undefined ? {} : { fast: answer }),
    handler: () => reply(200, 'handler', { 'content-type': 'text/plain' }),
  });

let app: Awaited<ReturnType<typeof startTestApp>>;
beforeAll(async () => {
  app = await startTestApp([
    declared('all', '/auth/check', fast),
    declared('all', '/auth/check/{rest*}', fast),
    declared('get', '/keys', fast),
    declared('post', '/ask', fast),
    declared('get', '/both', fast),
    declared('post', '/both', fast),
    declared('all', '/below/{rest*}', fast),
    declared('get', '/slow'),
  ]);
});
afterAll(() => app.drain(1000));

const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(app.url + path, { method, headers });
  const text = await response.text();
  return response.status === 200 ? text : response.status;
};

describe('the fast lane, made of the declared routes', () => {
  it.each([
    ['PROPFIND', '/auth/check', 'lane'],
    ['GET', '/api/auth/check?a=1', 'lane'],
    ['GET', '/auth/check/', 'lane'],
    ['POST', '/api/auth/check/any/thing?a', 'lane'],
    ['GET', '/auth/checked', 404],
    ['GET', '/AUTH/check', 404],
    ['GET', '/keys?x', 'lane'],
    ['POST', '/keys', 405],
    ['GET', '/keys/', 'handler'],
    ['POST', '/ask', 'lane'],
    ['GET', '/ask', 405],
    ['GET', '/both', 'lane'],
    // Fails when routes that share path and answer share the methods of the first.
    ['POST', '/both', 'lane'],
    ['PUT', '/both', 405],
    ['GET', '/below/x', 'lane'],
    ['GET', '/below', 404],
    ['GET', '/slow', 'handler'],
  ])('%s %s is answered by %s', async (method, path, by) => {
    expect(await ask(method, path)).toBe(by);
  });

  it('stands beside no guard, limit or floor, which it would pass by', () => {
    const parts = declared('get', '/x', fast);
    expect(() => route({ ...parts, auth: none, floor: true } as never)).toThrow('/x');
  });

  it('leaves to the handler what its answer lets pass', async () => {
    expect(await ask('GET', '/auth/check', { 'x-pass': '1' })).toBe('handler');
  });

  it('leaves a target in absolute form to the handler', async () => {
    const { body } = await app.raw(
      'GET http://x/keys HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expect(body).toBe('handler');
  });

  it('has one answer for all the routes that name it', () => {
    expect(made).toBe(1);
  });
});
