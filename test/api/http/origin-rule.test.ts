import { describe, expect, it } from 'vitest';
import { guardCookieMode, originRule } from '../../../src/api/http/origin-rule.ts';

const policy = {
  issuerOrigin: 'https://auth.example',
  allowedOrigins: ['https://app.example'],
};

// Tried, and each failed here: a listed Origin that outweighs cross-site; any content type.
describe('where a cookie-mode request may come from', () => {
  it.each([
    ['ok', { 'sec-fetch-site': 'same-origin' }],
    ['ok', { 'sec-fetch-site': 'same-site', origin: 'https://app.example' }],
    ['ok', { origin: 'https://app.example' }],
    ['ok', { origin: 'https://auth.example' }],
    ['origin_refused', {}],
    ['origin_refused', { origin: 'null' }],
    ['origin_refused', { origin: 'https://evil.example' }],
    ['origin_refused', { origin: 'http://auth.example' }],
    ['origin_refused', { origin: 'https://app.example:444' }],
    ['origin_refused', { 'sec-fetch-site': 'same-site' }],
    ['origin_refused', { 'sec-fetch-site': 'same-site', origin: 'https://evil.app.example' }],
    ['origin_refused', { 'sec-fetch-site': 'cross-site', origin: 'https://app.example' }],
    ['origin_refused', { 'sec-fetch-site': 'none' }],
    ['origin_refused', { 'sec-fetch-site': '', origin: 'https://app.example' }],
    ['origin_refused', { 'sec-fetch-site': 'same-origin, cross-site' }],
  ])('%s for %o', (expected, headers) => {
    expect(originRule(headers as Record<string, string>, policy)).toBe(expected);
  });

  it('only as JSON, which no plain form can send', () => {
    const good = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };
    expect(() => guardCookieMode(good, policy)).not.toThrow();
    expect(() => guardCookieMode({ ...good, 'content-type': 'text/plain' }, policy)).toThrow(
      'unsupported_media_type',
    );
    expect(() => guardCookieMode({ 'sec-fetch-site': 'same-origin' }, policy)).toThrow(
      'unsupported_media_type',
    );
    expect(() => guardCookieMode({ 'content-type': 'application/json' }, policy)).toThrow(
      'origin_refused',
    );
  });
});
