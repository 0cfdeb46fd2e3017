import { describe, expect, it } from 'vitest';
import { LatchkeyError } from '../../../src/domain/kernel/errors.ts';
import { classifyFailure } from '../../../src/eventlog/failure.ts';
import {
  isConnectionError,
  isTurnedAway,
  toUnavailable,
} from '../../../src/platform/postgres/errors.ts';

const withCode = (code: string, message = 'refused') => Object.assign(new Error(message), { code });
const connecting = (code: string) => Object.assign(withCode(code), { syscall: 'connect' });

const unavailable: readonly [string, Error][] = [
  ['a lost connection', new Error('Connection terminated unexpectedly')],
  ['a pool without a free connection', new Error('timeout exceeded when trying to connect')],
  ['a query without an answer', new Error('Query read timeout')],
  ['a reset socket', withCode('ECONNRESET')],
  ['a Unix socket that went with its server', connecting('ENOENT')],
  ['no port left to connect from', connecting('EADDRNOTAVAIL')],
  ['a socket that was destroyed under a write', withCode('ERR_STREAM_DESTROYED')],
  ['each of several addresses refused', new AggregateError([withCode('ECONNREFUSED')])],
  ['a shutdown', withCode('57P01')],
  ['a dropped database', withCode('57P04')],
  ['a full disk', withCode('53100')],
  ['a server without memory', withCode('53200')],
  ['a failure of the protocol', withCode('08P01')],
  ['a lost connection behind another error', new Error('no', { cause: withCode('EPIPE') })],
];

const faulty: readonly [string, Error][] = [
  ['a mistake that speaks of a connection', new TypeError("no property 'connection' of undefined")],
  ['a mistake that speaks of a timeout', new Error('the timeout must be a number')],
  ['an internal error of the server', withCode('XX000')],
  ['a wrong statement', withCode('42601')],
  ['a file of ours that is missing', Object.assign(withCode('ENOENT'), { syscall: 'open' })],
];

// Fails when the event log and the pools decide by rules of their own: a mistake of ours was tried
// again until the deadline and answered 503, and a refused connection was answered 500.
describe('one rule says what a failure of Postgres means', () => {
  it.each(unavailable)('%s: may have been committed, and is answered 503', (_, error) => {
    expect(isConnectionError(error)).toBe(true);
    expect(toUnavailable(error)).toMatchObject({ code: 'unavailable' });
    expect(classifyFailure(error)).toEqual({ kind: 'connection' });
    expect(classifyFailure(toUnavailable(error))).toEqual({ kind: 'connection' });
  });

  it.each(faulty)('%s: would fail again, and is no unavailability', (_, error) => {
    expect(isConnectionError(error)).toBe(false);
    expect(toUnavailable(error)).toBe(error);
    expect(classifyFailure(error)).toEqual({ kind: 'other', error });
  });

  // Fails when the code alone decides: a disk that fails under the commit ends the server, and what
  // it had written of the commit is found again when it starts.
  it.each(['FATAL', 'PANIC'])('%s, whatever its code: may have been committed', (severity) => {
    const error = Object.assign(withCode('58030'), { severity });
    expect(isConnectionError(error)).toBe(true);
    expect(toUnavailable(error)).toMatchObject({ code: 'unavailable' });
    expect(classifyFailure(error)).toEqual({ kind: 'connection' });
  });

  it('what is already called unavailable stays so', () => {
    expect(classifyFailure(new LatchkeyError('unavailable'))).toEqual({ kind: 'connection' });
  });
});

describe('a first contact', () => {
  it.each([
    ['no server there', connecting('ECONNREFUSED')],
    ['no such host', withCode('ENOTFOUND')],
    ['a wrong password', withCode('28P01')],
    ['no such database', withCode('3D000')],
    ['each of several addresses refused', new AggregateError([withCode('ECONNREFUSED')])],
    ['one of these behind another error', new Error('no', { cause: withCode('28000') })],
    ['no right to connect', Object.assign(withCode('42501'), { severity: 'FATAL' })],
  ])('is turned away: %s', (_, error) => {
    expect(isTurnedAway(toUnavailable(error))).toBe(true);
  });

  it.each([
    ['silence', new Error('timeout expired')],
    ['a statement that was cut', new Error('Connection terminated unexpectedly')],
    ['a recovery', Object.assign(withCode('57P03'), { severity: 'FATAL' })],
    ['too many clients', withCode('53300')],
  ])('may come about later: %s', (_, error) => {
    expect(isTurnedAway(toUnavailable(error))).toBe(false);
  });
});
