/** Survivors that may live: whatever changes `code`, a piece of one line, or a part of it. */
export interface Accepted {
  readonly file: string;
  readonly code: string;
  readonly because: string;
}

const domain = 'src/domain';
const verifier = 'packages/verifier/src/core';

export const accepted: readonly Accepted[] = [
  {
    file: `${domain}/session/device-policy.ts`,
    code: "policy === 'unlimited'",
    because: 'Without the question the limit is undefined, which compares like none.',
  },
  {
    file: `${domain}/session/device-policy.ts`,
    code: 'a.sessionId < b.sessionId',
    because: 'Two sessions never have the same id.',
  },
  {
    file: `${domain}/user/device-token.ts`,
    code: 'text.length > 2 * offsets.end',
    because: 'It spares the decoding of a long text, which is refused all the same.',
  },
  {
    file: `${domain}/user/identifier.ts`,
    code: 'text.length > 4 * octetsMax.address',
    because: 'It spares the reading of a long text, which is refused all the same.',
  },
  {
    file: `${domain}/user/identifier.ts`,
    code: 'local === undefined || domain === undefined',
    because: 'A split has a first part always; the type does not know it.',
  },
  {
    file: `${domain}/user/identifier.ts`,
    code: 'ascii === null',
    because: 'The Unicode form of no domain is none either.',
  },
  {
    file: `${domain}/user/identifier.ts`,
    code: 'asciiDomain(unicode) === ascii',
    because: 'UTS 46 refuses such a label before; stands for tables that disagree.',
  },
  {
    file: `${domain}/user/identifier.ts`,
    code: "Buffer.byteLength(text, 'utf8')",
    because: 'UTF-8 is the default.',
  },
  {
    file: `${domain}/user/lockout.ts`,
    code: 'count.lockedUntil !== null',
    because: 'No instant is before null, which counts as 0.',
  },
  {
    file: `${domain}/user/lockout.ts`,
    code: 'count.lastFailureAt === null',
    because: 'Null counts as 0, which is more than an hour ago.',
  },
  {
    file: `${domain}/user/password-rules.ts`,
    code: 'password.length > longestBeforeNfc',
    because: 'It spares the normalizing of a long text, which is refused all the same.',
  },
  {
    file: `${domain}/user/password-rules.ts`,
    code: '2 * period > characters.length',
    because: 'No password is shorter than twice the longest period that is looked for.',
  },
  {
    file: `${domain}/user/password-guesses.ts`,
    code: 'steps[from]!.cost + ownWordCost >= best.cost',
    because: 'It spares look-ups that cannot find a cheaper way.',
  },
  {
    file: `${domain}/user/password-guesses.ts`,
    code: 'from < end - 1',
    because: 'A word of one character is never cheaper than the character.',
  },
  {
    file: `${domain}/user/password-guesses.ts`,
    code: 'cost < best.cost',
    because: 'Of two ways that cost the same either will do.',
  },
  {
    file: `${domain}/user/password-guesses.ts`,
    code: 'next.log10 < best.log10',
    because: 'Of two ways that cost the same either will do.',
  },
  {
    file: `${verifier}/access-token-claims.ts`,
    code: "typeof value !== 'object' || value === null",
    because: 'What is no object has no claim, and is refused for that.',
  },
  {
    file: `${verifier}/access-token-claims.ts`,
    code: '} catch {',
    because: 'Nothing instead of null is no text of the payload either.',
  },
  {
    file: `${verifier}/id-table.ts`,
    code: 'Number.isNaN(a + b + c + d)',
    because: 'With a NaN in it any sum is one.',
  },
  {
    file: `${verifier}/id-table.ts`,
    code: '(this.size + 1) * 3 > (this.#slotsMask + 1) * 2',
    because: 'The table grows an entry earlier or later.',
  },
  {
    file: `${verifier}/id-table.ts`,
    code: 'kept < this.size',
    because: 'A part is rebuilt that had nothing to drop.',
  },
  {
    file: `${verifier}/id-table.ts`,
    code: '(slot + 1) & this.#slotsMask',
    because: 'Looking for a free slot in the other direction finds the same.',
  },
  {
    file: `${verifier}/id-table.ts`,
    code: 'slots < sizeExpected * 1.5',
    because: 'A table that is two thirds full may have as many slots again.',
  },
  {
    file: `${verifier}/lease.ts`,
    code: 'start.monotonicNow < this.#start.monotonicNow',
    because: 'Of two polls that began at one instant either counts.',
  },
  {
    file: `${verifier}/verify.ts`,
    code: 'token.slice(-43)',
    because: 'A longer key of the cache costs time only.',
  },
  {
    file: `${verifier}/key-ring.ts`,
    code: '} catch {',
    because: 'Node throws for no length of a signature; another release may.',
  },
  {
    file: `${verifier}/key-ring.ts`,
    code: 'return false;',
    because: 'Node throws for no length of a signature; another release may.',
  },
  {
    file: 'src/node/applied-revocations.ts',
    code: "reason: 'logout'",
    because: 'Any reason ends a session.',
  },
  {
    file: 'src/node/applied-revocations.ts',
    code: 'revocation !== null && revocation.until > Date.now()',
    because: 'A revoked session always has a revocation; one instant makes no difference.',
  },
  {
    file: 'src/node/revocation-poll.ts',
    code: 'performance.now() < pauseAt',
    because: 'One instant makes no difference.',
  },
  {
    file: 'src/eventlog/append.ts',
    code: 'a.stream.streamId < b.stream.streamId',
    because: 'A command touches a stream once.',
  },
  {
    file: 'src/eventlog/commit-breaker.ts',
    code: 'now > this.#hanging.at + askAgainMs',
    because: 'One instant makes no difference.',
  },
  {
    file: 'src/eventlog/database-clock.ts',
    code: 'ahead > 0',
    because: 'A clock that is refused is a second off at least.',
  },
];
