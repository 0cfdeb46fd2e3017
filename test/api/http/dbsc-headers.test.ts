import { describe, expect, it } from 'vitest';
import {
  challengeHeader,
  proofHeader,
  registrationHeader,
  sessionIdentifierHeader,
  skippedReason,
} from '../../../src/api/http/dbsc-headers.ts';

describe('the headers of device-bound session credentials', () => {
  it('offers a registration as a list of one inner list of algorithms', () => {
    expect(
      registrationHeader({ algorithms: ['ES256', 'RS256'], path: 'dbsc/register', challenge: 'c' }),
    ).toEqual({
      'secure-session-registration': '(ES256 RS256);path="dbsc/register";challenge="c"',
    });
  });

  it('gives a challenge as a string, with the session as its parameter', () => {
    expect(challengeHeader('c', 'latchkey-1')).toEqual({
      'secure-session-challenge': '"c";id="latchkey-1"',
    });
  });

  it.each<[string | undefined, string | null]>([
    ['"a.b.c"', 'a.b.c'],
    ['"a.b.c";unknown=1', 'a.b.c'],
    // What Chromium 156 sends.
    ['eyJ0.eyJq.-_x', 'eyJ0.eyJq.-_x'],
    [undefined, null],
    ['', null],
    ['"a', null],
    ['"a", "b"', null],
    ['17', null],
    ['a b', null],
    ['"ä"', null],
  ])('reads the proof of %j as %j', (value, expected) => {
    const headers = value === undefined ? {} : { 'secure-session-response': value };
    expect(proofHeader(headers)).toBe(expected);
  });

  it('reads the session identifier, quoted or not', () => {
    for (const value of ['latchkey-01a2', '"latchkey-01a2"']) {
      expect(sessionIdentifierHeader({ 'sec-secure-session-id': value })).toBe('latchkey-01a2');
    }
    expect(sessionIdentifierHeader({})).toBeNull();
  });

  it.each([
    ['server_error;session_identifier="latchkey-1"', 'server_error'],
    ['unreachable', 'unreachable'],
    ['quota_exceeded;session_identifier="a", unreachable', 'quota_exceeded'],
    ['"server_error"', null],
    ['made_up', null],
    [';;', null],
    ['', null],
  ])('reads why a browser skipped the bound cookie: %j is %j', (value, expected) => {
    expect(skippedReason({ 'secure-session-skipped': value })).toBe(expected);
  });
});
