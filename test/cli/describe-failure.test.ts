import { expect, it } from 'vitest';
import { describeFailure } from '../../src/cli/describe-failure.ts';
import { LatchkeyError } from '../../src/domain/kernel/errors.ts';
import { RedisUnavailableError } from '../../src/platform/redis/link.ts';

const refused = (code: string) => Object.assign(new Error('what Postgres says'), { code });

// Fails when a server that answers, but lacks something, is said to be out of reach.
it.each(['53100', '53200', '53300', '53400', '57P04'])('%s is told with what to do', (code) => {
  for (const error of [refused(code), new Error('outside', { cause: refused(code) })]) {
    expect(describeFailure(error)).toMatch(/^Postgres says: what Postgres says; \w+/);
  }
});

it('a server that does not answer is out of reach, also behind another error', () => {
  const lost = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  for (const error of [lost, new Error('outside', { cause: lost })]) {
    expect(describeFailure(error)).toMatch(/^Postgres cannot be reached \(ECONNREFUSED\)/);
  }
});

// Fails when an operator reads a code where the reason is known.
it('a refusal is told by its reason, with its code behind', () => {
  const refusal = new LatchkeyError('not_found', { detail: 'no key has this kid' });
  expect(describeFailure(refusal)).toBe('no key has this kid (not_found).');
});

// Fails when a busy server is said to be down: an operator would start it again.
it('a server that is too slow is told apart from one that is not there', () => {
  const slow = new Error('outside', {
    cause: new Error('timeout exceeded when trying to connect'),
  });
  expect(describeFailure(slow)).toMatch(/^Postgres did not answer in time, or ended/);
});

// Fails when a server that has answered is said to be out of reach.
it('a session that the server ends is told with what it says', () => {
  const ended = Object.assign(refused('57P01'), { severity: 'FATAL' });
  expect(describeFailure(ended)).toBe('Postgres ended the connection: what Postgres says.');
});

// Fails when a Redis that answers is said to need a start.
it.each([
  ['NOPERM ACL failure in script: no permissions', 'rights that docs/token-blacklisting.md names'],
  ["ERR Error running script: The user executing the script can't run this", 'the rights that'],
  ['WRONGPASS', 'the password in REDIS_URL'],
  ['OOM command not allowed', 'more memory'],
  ["READONLY You can't write against a read only replica.", 'the primary'],
  ['unreachable', 'start it, or correct REDIS_URL'],
])('Redis: %s', (why, remedy) => {
  const error = new RedisUnavailableError('refused', { cause: new Error(why) });
  expect(describeFailure(error)).toContain(`Redis cannot be used (${why}): `);
  expect(describeFailure(error)).toContain(remedy);
});
