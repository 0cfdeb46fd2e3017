import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEdge } from './edge.ts';

let edge: Awaited<ReturnType<typeof startEdge>>;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.drain(1000));

describe('an error', () => {
  it('that nobody foresaw is 500 without detail; the log has it, with the request id', async () => {
    const answer = await edge.send('/broken');
    const requestId = answer.headers.get('x-request-id');
    expect(answer.json()).toEqual({
      type: '/docs#error-internal_error',
      title: 'Something went wrong on our side',
      status: 500,
      code: 'internal_error',
      request_id: requestId,
    });
    await expect.poll(() => edge.lines.some((line) => line.includes('hunter2'))).toBe(true);
    const line = edge.lines.find((each) => each.includes('hunter2'));
    expect(JSON.parse(line!)).toMatchObject({ request_id: requestId, route: '/broken' });
  });

  it('that passes says when to come back, in whole seconds', async () => {
    const answer = await edge.send('/busy');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(answer.body).not.toContain('pool');
  });
});

describe('many refusals', () => {
  // Fails when each writes its line: 1,000 a second fill a disk.
  it('C11: leave a few lines a second, and each is counted', async () => {
    const flood = await startEdge();
    const sent = 200;
    const started = performance.now();
    await Promise.all(Array.from({ length: sent }, () => flood.send('/auth/mine')));
    const count = 'latchkey_refusals_total{code="invalid_token"} 200';
    await expect.poll(() => flood.registry.metrics()).toContain(count);
    const seconds = Math.ceil((performance.now() - started) / 1000) + 1;
    const lines = flood.lines.filter((line) => line.includes('"refused"'));
    expect(lines.length).toBeGreaterThanOrEqual(10);
    expect(lines.length).toBeLessThanOrEqual(10 * seconds);
    await flood.drain(1000);
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

  // Fails when the caller's id is echoed: it would also be the one in the events.
  it('C6: has our own id; its log line also tells a plain one of the caller', async () => {
    const lineFor = async (id: string) => {
      const { headers } = await edge.send('/keys', { headers: { 'x-request-id': id } });
      const requestId = headers.get('x-request-id')!;
      expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
      expect(requestId).not.toBe(id);
      const line = () => edge.lines.find((each) => each.includes(requestId));
      await expect.poll(line).toBeDefined();
      return JSON.parse(line()!);
    };
    expect(await lineFor('job-1.a')).toMatchObject({ caller_request_id: 'job-1.a' });
    for (const id of ['a b', 'a'.repeat(65), 'a@b.example', '%0a', '{"x":1}']) {
      expect(await lineFor(id)).not.toHaveProperty('caller_request_id');
    }
  });

  it('is counted under its declared path, and its log line names nobody', async () => {
    await edge.send('/auth/things/very-secret-id?limit=1', {
      headers: { authorization: 'Bearer verysecrettoken' },
    });
    await expect.poll(() => edge.registry.metrics()).toContain('route="/auth/things/{thing}"');
    expect(await edge.registry.metrics()).not.toContain('very-secret-id');
    expect(edge.lines.join('')).not.toMatch(/very-secret-id|verysecrettoken|127\.0\.0\.1/);
  });
});
