import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEdge } from './edge.ts';

let edge: Awaited<ReturnType<typeof startEdge>>;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.drain(1000));

describe('an error', () => {
  it('that nobody foresaw is 500 without detail; the log has it, with the request id', async () => {
    const answer = await edge.send('/broken', { headers: { 'x-request-id': 'trace-77' } });
    expect(answer.json()).toEqual({
      type: '/docs#error-internal_error',
      title: 'Something went wrong on our side',
      status: 500,
      code: 'internal_error',
      request_id: 'trace-77',
    });
    await expect.poll(() => edge.lines.some((line) => line.includes('hunter2'))).toBe(true);
    const line = edge.lines.find((each) => each.includes('hunter2'));
    expect(JSON.parse(line!)).toMatchObject({ request_id: 'trace-77', route: '/broken' });
  });

  it('that passes says when to come back, in whole seconds', async () => {
    const answer = await edge.send('/busy');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(answer.body).not.toContain('pool');
  });
});

describe('CORS', () => {
  const from = (origin: string, extra = {}) => ({ headers: { origin, ...extra } });
  const preflight = { 'access-control-request-method': 'POST' };

  it('names a listed origin, never any other, and always varies by it', async () => {
    const listed = (await edge.send('/auth/mine', from('https://app.example'))).headers;
    expect(listed.get('access-control-allow-origin')).toBe('https://app.example');
    expect(listed.get('access-control-allow-credentials')).toBe('true');
    for (const origin of ['https://evil.example', 'null', 'https://app.example.evil.example']) {
      const other = (await edge.send('/auth/mine', from(origin))).headers;
      expect(other.get('access-control-allow-origin')).toBeNull();
      expect(other.get('vary')).toBe('Origin');
    }
  });

  it('answers a preflight, with permission for listed origins only', async () => {
    const options = (origin: string) =>
      edge.send('/auth/echo', { method: 'OPTIONS', ...from(origin, preflight) });
    const listed = await options('https://app.example');
    expect(listed.status).toBe(204);
    expect(listed.headers.get('access-control-allow-headers')).toContain('authorization');
    const other = await options('https://evil.example');
    expect(other.headers.get('access-control-allow-methods')).toBeNull();
  });

  it('opens key sets to everybody, without credentials', async () => {
    const { headers } = await edge.send('/keys', from('https://anyone.example'));
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
    expect(headers.get('cache-control')).toBe('public, max-age=60');
  });
});

describe('every answer', () => {
  it('has a request id, no software name, and the headers that browsers obey', async () => {
    const { headers } = await edge.send('/auth/mine');
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('keeps a plain X-Request-Id and replaces any other', async () => {
    const idFor = async (id: string) =>
      (await edge.send('/keys', { headers: { 'x-request-id': id } })).headers.get('x-request-id');
    expect(await idFor('job-1.a')).toBe('job-1.a');
    expect(await idFor('a b')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await idFor('a'.repeat(65))).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is counted under its declared path, and its log line names nobody', async () => {
    await edge.send('/auth/things/very-secret-id?limit=1', {
      headers: { authorization: 'Bearer verysecrettoken' },
    });
    await expect
      .poll(() => edge.metrics.registry.metrics())
      .toContain('route="/auth/things/{thing}"');
    expect(await edge.metrics.registry.metrics()).not.toContain('very-secret-id');
    expect(edge.lines.join('')).not.toMatch(/very-secret-id|verysecrettoken|127\.0\.0\.1/);
  });
});
