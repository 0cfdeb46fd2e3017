import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problem, startEdge } from './edge.ts';

let edge: Awaited<ReturnType<typeof startEdge>>;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.drain(1000));

describe('a JSON body', () => {
  it('reaches the handler, under /auth and under /api/auth', async () => {
    const body = '{"email":"a@b.example","device":{"type":"web"}}';
    expect((await edge.post('/auth/echo', body)).json()).toEqual(JSON.parse(body));
    expect(
      (await edge.post('/api/auth/echo', body, 'application/JSON; charset="UTF-8"')).status,
    ).toBe(200);
  });

  it('E8: is left out in chunks where it is optional', async () => {
    const request = (length: string, body: string) =>
      edge.raw(
        `POST /auth/logout HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${length}\r\n\r\n${body}`,
      );
    const chunked = 'Transfer-Encoding: chunked';
    expect((await request('Content-Length: 0', '')).status).toBe(204);
    expect((await request(chunked, '0\r\n\r\n')).status).toBe(204);
    expect((await request(`${chunked}\r\nContent-Type: text/plain`, '0\r\n\r\n')).status).toBe(204);
    expect((await request(chunked, '2\r\n{}\r\n0\r\n\r\n')).status).toBe(415);
  });

  it('is refused naming every field that is wrong, missing or unknown', async () => {
    const answer = edge.post('/auth/echo', '{"device":{"type":"fridge","x":1},"role":"admin"}');
    const { errors } = await problem(answer);
    expect(errors?.sort()).toEqual(['device.type', 'device.x', 'email', 'role']);
  });

  it('may have text that looks like keys', async () => {
    const body = JSON.stringify({ email: '","email":"\\"x\\":' });
    expect((await edge.post('/auth/echo', body)).status).toBe(200);
  });

  it('may be left out where it is optional, whatever the type says', async () => {
    expect((await edge.send('/auth/logout', { method: 'POST' })).status).toBe(204);
    expect((await edge.post('/auth/logout', '', 'text/plain')).status).toBe(204);
    expect((await edge.post('/auth/logout', '{}')).status).toBe(204);
    expect((await problem(edge.post('/auth/logout', 'x', 'text/plain'))).status).toBe(415);
  });

  it('of 16 KiB passes the size check, one byte more is 413', async () => {
    const sized = (bytes: number) => `{"email":"${'a'.repeat(bytes - 12)}"}`;
    expect((await edge.post('/auth/echo', sized(16 * 1024))).status).toBe(200);
    expect(await problem(edge.post('/auth/echo', sized(16 * 1024 + 1)))).toMatchObject({
      status: 413,
      code: 'invalid_request',
    });
  });

  it('too large is 413 also without a length, and before it has all arrived', async () => {
    const chunk = 'a'.repeat(20_000);
    const chunked = await edge.raw(
      'POST /auth/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n' +
        'Content-Type: application/json\r\n' +
        `Transfer-Encoding: chunked\r\n\r\n${chunk.length.toString(16)}\r\n${chunk}\r\n0\r\n\r\n`,
    );
    expect(chunked.status).toBe(413);
    const announced = await edge.raw(
      'POST /auth/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n' +
        'Content-Type: application/json\r\n' +
        'Content-Length: 99999999\r\n\r\nabc',
    );
    expect(announced.status).toBe(413);
    expect(JSON.parse(announced.body).code).toBe('invalid_request');
  });

  it('that does not arrive is not waited for: the answer comes, the connection goes', async () => {
    const answer = await edge.raw(
      'POST /oauth2/introspect HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\nabc',
    );
    expect(answer.status).toBe(415);
    expect(answer.head).toMatch(/^connection: close$/im);
  });
});
