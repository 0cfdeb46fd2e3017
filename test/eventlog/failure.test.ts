import { describe, expect, it } from 'vitest';
import { LatchkeyError } from '../../src/domain/kernel/errors.ts';
import { BusyError, ConflictError, UniqueViolationError } from '../../src/eventlog/command.ts';
import { classifyFailure, unavailable } from '../../src/eventlog/failure.ts';

const failure = (code: string, more: object = {}) =>
  Object.assign(new Error('refused'), { code, ...more });

describe('what a failed append means', () => {
  it('a stream that had to be new and is not: a race', () => {
    expect(classifyFailure(failure('LK409'))).toEqual({ kind: 'race' });
    const constraint = 'subject_keys_pkey';
    expect(classifyFailure(failure('23505', { constraint }))).toEqual({ kind: 'race' });
  });

  // Fails when a lock that was not given counts as an error of the command: it is tried again.
  it.each(['55P03', '40P01', '40001'])('%s, a lock or a deadlock: busy', (code) => {
    expect(classifyFailure(failure(code))).toEqual({ kind: 'busy' });
  });

  it('a value that is taken: an error of its own, which names the constraint', () => {
    const cause = failure('23505', { constraint: 'credentials_pkey' });
    const { kind, error } = classifyFailure(cause) as { kind: string; error: UniqueViolationError };
    expect(kind).toBe('other');
    expect(error).toBeInstanceOf(UniqueViolationError);
    expect(error).toMatchObject({
      name: 'UniqueViolationError',
      constraint: 'credentials_pkey',
      cause,
    });
    const nameless = classifyFailure(failure('23505'));
    expect(nameless).toMatchObject({ error: { constraint: 'unknown' } });
  });

  it('another refusal of ours: no outage', () => {
    const error = new LatchkeyError('conflict');
    expect(classifyFailure(error)).toEqual({ kind: 'other', error });
  });

  it('has names that a log line can be found by', () => {
    expect(new ConflictError([])).toMatchObject({ name: 'ConflictError', actual: [] });
    expect(new BusyError().name).toBe('BusyError');
  });

  it('is told to a caller as unavailable, with the reason for the log', () => {
    const cause = new Error('cut');
    expect(unavailable('no answer', cause)).toMatchObject({
      ...{ code: 'unavailable', detail: 'no answer', cause, retryAfterSeconds: 1 },
    });
  });
});
