import { describe, expect, it } from 'vitest';
import { fold } from '../../../src/domain/kernel/decider.ts';
import type { CheckTotp } from '../../../src/domain/user/check-second-factor.ts';
import { userDecider } from '../../../src/domain/user/decide.ts';
import type { UserEvent } from '../../../src/domain/user/events.ts';
import type { LoginChallenge } from '../../../src/domain/user/login-challenges.ts';
import { challengeFor } from '../../../src/domain/user/open-challenge.ts';
import { specificationFor } from '../../support/decider-specification.ts';
import { disabledAt, hourMs, place, registered, registeredAt } from './users.ts';

const { given } = specificationFor(userDecider);
const now = registeredAt + hourMs;
const confirmed = (factorId: string): UserEvent => ({
  type: 'TotpConfirmed',
  data: { at: now - 1, factorId, step: 100 },
});
const twoFactors = [registered, confirmed('phone')];
const state = fold(userDecider.evolve, userDecider.initialState, twoFactors);
const challenge = challengeFor(state, 'c', now);
const answer = (change: Partial<CheckTotp> = {}): CheckTotp => ({
  ...{ type: 'CheckTotp', now, factorId: 'phone', matchingSteps: [101] },
  ...{ device: null, pii: place, challenge },
  ...change,
});
const wrong = answer({ matchingSteps: [] });
const failed = (challengeId: string, at = now): UserEvent => ({
  ...{ type: 'FactorCheckFailed', data: { at, factor: 'totp', challengeId }, pii: place },
});
const accepted: UserEvent = {
  type: 'FactorAccepted',
  data: { at: now, step: 101, challengeId: 'c' },
};

describe('a challenge', () => {
  it('is answered by one code, and the event names it', () => {
    given(...twoFactors)
      .when(answer())
      .thenRecords(accepted);
  });

  it('is used up by that: another right code does not answer it again', () => {
    given(...twoFactors, accepted)
      .when(answer({ matchingSteps: [102] }))
      .thenRefuses('invalid_token');
  });

  it('has five tries, of its own', () => {
    const tried = Array.from({ length: 4 }, () => failed('c'));
    given(...twoFactors, ...tried)
      .when(wrong)
      .thenRecordsAndRefuses('invalid_credentials', failed('c'));
    given(...twoFactors, ...tried, failed('c'))
      .when(answer())
      .thenRefuses('invalid_token');
    given(...twoFactors, ...tried, failed('other'))
      .when(answer())
      .thenRecords({ type: 'FailedChecksCleared', data: { at: now } }, accepted);
  });

  it('lives five minutes', () => {
    const late = now + 300_000;
    given(...twoFactors)
      .when(answer({ now: late - 1 }))
      .thenRecords({ ...accepted, data: { ...accepted.data, at: late - 1 } } as UserEvent);
    given(...twoFactors)
      .when(answer({ now: late }))
      .thenRefuses('invalid_token');
  });

  const changes: Readonly<Record<string, readonly UserEvent[]>> = {
    'a disabled user': [disabledAt(now)],
    'a user who was disabled meanwhile': [
      disabledAt(now),
      { type: 'UserEnabled', data: { at: now } },
    ],
    'a new password': [{ type: 'PasswordChanged', data: { at: now } }],
    'a new address': [{ type: 'EmailChanged', data: { at: now } }],
    'another factor': [confirmed('tablet')],
    'a removed factor': [{ type: 'TotpRemoved', data: { at: now, by: 'admin' } }],
    'a logout everywhere': [
      { type: 'UserEpochRaised', data: { at: now, epoch: 1, cause: 'logout_everywhere' } },
    ],
  };
  it.each(Object.entries(changes))('is over with %s', (_, events) => {
    const factorId = 'phone';
    given(...twoFactors, ...events)
      .when(answer({ factorId }))
      .thenRefuses('invalid_token');
  });

  // Fails when what was tried is kept for ever, or a full list forgets a challenge that is open.
  it('is forgotten once it has expired, and nothing is tried beyond the room for them', () => {
    const many = Array.from({ length: 64 }, (_, index) => failed(`c${index}`));
    const unlocked: UserEvent = { type: 'UserUnlocked', data: { at: now } };
    given(...twoFactors, ...many, unlocked)
      .when(wrong)
      .thenRefuses('invalid_token');
    const later = now + 400_000;
    const fresh: LoginChallenge = { ...challenge, id: 'later', expiresAt: later + 300_000 };
    const after = given(...twoFactors, ...many, unlocked)
      .when({ ...wrong, now: later, challenge: fresh })
      .state();
    expect(after.loginChallenges).toEqual([
      { id: 'later', failures: 1, used: false, until: later + 300_000 },
    ]);
  });
});
