import { describe, expect, it } from 'vitest';
import { LatchkeyError } from '../../../src/domain/kernel/errors.ts';

describe('the one typed error', () => {
  it('is its code, and keeps what happened and why for the log', () => {
    const cause = new Error('the socket closed');
    const error = new LatchkeyError('unavailable', {
      detail: 'no answer',
      cause,
      facts: { ended_at: 7 },
      errors: [{ path: 'role', message: 'unknown' }],
      retryAfterSeconds: 2,
    });
    expect(error).toMatchObject({
      name: 'LatchkeyError',
      message: 'unavailable',
      code: 'unavailable',
      detail: 'no answer',
      cause,
      facts: { ended_at: 7 },
      errors: [{ path: 'role', message: 'unknown' }],
      retryAfterSeconds: 2,
    });
  });

  it('has no cause where there is none', () => {
    expect(new LatchkeyError('not_found')).not.toHaveProperty('cause');
  });
});
