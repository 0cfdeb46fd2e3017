import { describe, expect, it } from 'vitest';
import { parseJson, parseParameters } from '../../../src/api/http/request-body.ts';

// Tried, and each made a test here or in json-body.test.ts fail: no check of `__proto__`; counting
// no keys; no check of NUL; no check of lone surrogates; a TextDecoder that is not fatal; no bound
// while collecting; no check of repeats.
describe('strict JSON', () => {
  it.each([
    '{"__proto__":{"admin":true}}',
    '{"list":[{"\\u005f_proto__":1}]}',
    '{"a":{"b":1,"b":2}}',
    '{"a":"b","\\u0061":"c"}',
    '{"a":',
    '',
    '\ufeff{}',
    `${'['.repeat(8000)}"\\u0000"${']'.repeat(8000)}`,
    '{"a\\u0000":1}',
    '["\\udc00"]',
  ])('refuses %s at any depth', (text) => {
    expect(() => parseJson(Buffer.from(text))).toThrow('invalid_request');
  });

  it('refuses bytes that are not UTF-8 also where JSON would let them pass', () => {
    for (const bytes of ['["\xff"]', '["\xc0\x80"]']) {
      expect(() => parseJson(Buffer.from(bytes, 'latin1'))).toThrow('invalid_request');
    }
  });

  // Fails when a field of that name is let through at any depth.
  it('lets any text stand in the opaque fields of the document itself, and in no other', () => {
    const parse = (text: string) => parseJson(Buffer.from(text), new Set(['token']));
    expect(parse('{"token":"\\u0000\\ud800"}')).toEqual({ token: '\0\ud800' });
    for (const text of [
      '{"other":"\\u0000"}',
      '{"a":{"token":"\\u0000"}}',
      '{"":{"token":"\\ud800"}}',
      '[{"token":"\\ud800"}]',
      '{"token":["\\u0000"]}',
      '{"token":{"a":"\\ud800"}}',
    ]) {
      expect(() => parse(text), text).toThrow('invalid_request');
    }
  });

  it('lets one key stand in several objects', () => {
    const value = [{ a: 1 }, { a: 2, b: { a: 3 } }];
    expect(parseJson(Buffer.from(JSON.stringify(value)))).toEqual(value);
  });
});

describe('parameters', () => {
  it('are decoded, and empty ones are omitted', () => {
    expect({ ...parseParameters('a=1+2%263&b=&&c&d==') }).toEqual({ a: '1 2&3', d: '=' });
  });

  it.each(['a=1&a=2', 'a=&a=1', '%61=1&a=2', '__proto__=1&__proto__=2'])('refuse %s', (text) => {
    expect(() => parseParameters(text)).toThrow('invalid_request');
  });
});
