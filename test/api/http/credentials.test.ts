import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEdge } from './edge.ts';

let edge: Awaited<ReturnType<typeof startEdge>>;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.drain(1000));

// Tried, and each failed here: no check of the role; Basic and a secret in the form at once.
describe('credentials', () => {
  const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

  it('that are absent are challenged without error, refused ones with invalid_token', async () => {
    const absent = await edge.send('/auth/mine');
    expect(absent.json().code).toBe('invalid_token');
    expect(absent.headers.get('www-authenticate')).toBe('Bearer realm="latchkey"');
    const refused = await edge.send('/auth/mine', as('bad'));
    expect(refused.headers.get('www-authenticate')).toBe(
      'Bearer realm="latchkey", error="invalid_token"',
    );
    const basic = await edge.send('/auth/mine', { headers: { authorization: 'Basic eDp5' } });
    expect(basic.headers.get('www-authenticate')).toBe('Bearer realm="latchkey"');
  });

  it('without the role are 403 insufficient_scope', async () => {
    const answer = await edge.send('/admin/users', as('good'));
    expect([answer.status, answer.json().code]).toEqual([403, 'insufficient_scope']);
    expect(answer.headers.get('www-authenticate')).toContain('error="insufficient_scope"');
    expect((await edge.send('/admin/users', as('admin'))).status).toBe(200);
  });
});

describe('an OAuth endpoint', () => {
  const form = 'application/x-www-form-urlencoded';
  const basic = (pair: string) => ({ authorization: `Basic ${btoa(pair)}` });

  it('takes a client by Basic and by form, and ignores unknown parameters', async () => {
    const expected = { client: 'a b', token: 't' };
    const byBasic = await edge.post('/oauth2/introspect', 'token=t&x=1', form, basic('a+b:right'));
    expect(byBasic.json()).toEqual(expected);
    const byForm = await edge.post(
      '/oauth2/introspect',
      'token=t&client_id=a%20b&client_secret=right',
      form,
    );
    expect(byForm.json()).toEqual(expected);
  });

  it.each([
    ['a repeated parameter', 'token=a&token=b', basic('a:right'), 400, 'invalid_request'],
    ['no token', '', basic('a:right'), 400, 'invalid_request'],
    ['an empty token', 'token=', basic('a:right'), 400, 'invalid_request'],
    ['broken percent-encoding', 'token=%ff', basic('a:right'), 400, 'invalid_request'],
    [
      'two authentications',
      'token=t&client_secret=right',
      basic('a:right'),
      400,
      'invalid_request',
    ],
    ['a wrong secret', 'token=t', basic('a:wrong'), 401, 'invalid_client'],
    ['no client', 'token=t', {}, 401, 'invalid_client'],
    ['a Basic header of noise', 'token=t', { authorization: 'Basic !' }, 401, 'invalid_client'],
  ])('refuses %s as RFC 6749 says', async (_, body, headers, status, error) => {
    const answer = await edge.post('/oauth2/introspect', body, form, headers);
    expect([answer.status, answer.json().error]).toEqual([status, error]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const challenge = answer.headers.get('www-authenticate');
    expect(challenge?.startsWith('Basic ') ?? false).toBe(status === 401);
  });
});
