import { LatchkeyError } from '../kernel/errors.ts';
import { type LoginChallenge, loginChallengeSeconds, unexpired } from './login-challenges.ts';
import { totpOf } from './second-factor.ts';
import type { UserState } from './state.ts';

const triesMax = 5;
/** Challenges with a try: who fills the list has been locked long before. */
const triedChallengesMax = 64;

/** The challenge for a user who has just shown the first factor. */
export function challengeFor(state: UserState, id: string, now: number): LoginChallenge {
  const { confirmed } = totpOf(state);
  if (confirmed === null) throw new Error('a challenge without a second factor');
  return {
    id,
    expiresAt: now + loginChallengeSeconds * 1000,
    factorId: confirmed.factorId,
    passwordChangedAt: state.passwordChangedAt,
    emailVersion: state.emailVersion,
    devicesEpoch: state.devices.epoch,
  };
}

/**
 * Raises `invalid_token` for a challenge that is over: it has expired, was used, was tried five times
 * in vain, or the user, a password, an address or a factor has changed since.
 */
export function requireOpenChallenge(
  state: UserState,
  challenge: LoginChallenge,
  now: number,
): void {
  const tried = state.loginChallenges?.find(({ id }) => id === challenge.id);
  const isOpen =
    state.status === 'active' &&
    now < challenge.expiresAt &&
    challenge.factorId === totpOf(state).confirmed?.factorId &&
    challenge.passwordChangedAt === state.passwordChangedAt &&
    challenge.emailVersion === state.emailVersion &&
    challenge.devicesEpoch === state.devices.epoch &&
    tried?.used !== true &&
    (tried?.failures ?? 0) < triesMax &&
    (tried !== undefined || unexpired(state.loginChallenges, now).length < triedChallengesMax);
  if (!isOpen) throw new LatchkeyError('invalid_token', { detail: 'the challenge is over' });
}
