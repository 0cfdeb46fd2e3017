import { accept, type Decision } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import type { UserEvent } from './events.ts';
import { type GivenFactor, judgeSecondFactor } from './judge-factor.ts';
import type { LoginChallenge } from './login-challenges.ts';
import { requireOpenChallenge } from './open-challenge.ts';
import { freshStep, totpOf } from './second-factor.ts';
import type { FactorCheckFailed } from './second-factor-events.ts';
import type { UserState } from './state.ts';

interface GivenSecondFactor extends Omit<GivenFactor, 'matches'> {
  /** The login that it completes; null at a step-up or a change of the factor. */
  readonly challenge: LoginChallenge | null;
}

/**
 * A code of the authenticator app. `factorId`: of the secret that it was compared with;
 * `matchingSteps`: those of the last, this and the next 30 seconds whose code it is.
 */
export interface CheckTotp extends GivenSecondFactor {
  readonly type: 'CheckTotp';
  readonly factorId: string | null;
  readonly matchingSteps: readonly number[];
}

/** `hash`: of the code that was given. */
export interface CheckRecoveryCode extends GivenSecondFactor {
  readonly type: 'CheckRecoveryCode';
  readonly hash: string;
}

export type SecondFactorCheck = CheckTotp | CheckRecoveryCode;

/**
 * Throws `invalid_token` for a challenge that is over and `invalid_credentials`: also for a code that
 * was used, which is no guess and does not count.
 */
export function checkSecondFactor(
  state: UserState,
  command: SecondFactorCheck,
): Decision<UserEvent> {
  const { now, challenge } = command;
  if (challenge !== null) requireOpenChallenge(state, challenge, now);
  if (state.status !== 'active' || totpOf(state).confirmed === null) {
    throw new LatchkeyError('invalid_credentials', { detail: 'no second factor to check' });
  }
  return command.type === 'CheckTotp'
    ? checkTotp(state, command)
    : checkRecoveryCode(state, command);
}

function checkTotp(state: UserState, command: CheckTotp): Decision<UserEvent> {
  const { now: at, factorId, matchingSteps, challenge } = command;
  const confirmed = totpOf(state).confirmed!;
  if (factorId !== confirmed.factorId) {
    throw new LatchkeyError('conflict', { detail: 'the factor changed during the check' });
  }
  const step = freshStep(matchingSteps, confirmed.step);
  if (step === null && matchingSteps.length > 0) {
    throw new LatchkeyError('invalid_credentials', { detail: 'a code that was used' });
  }
  const judged = judgedAs(state, command, 'totp', step !== null);
  if (judged.refusal !== undefined) return judged;
  return accept<UserEvent>(...judged.events, {
    type: 'FactorAccepted',
    data: { at, step: step!, ...challengeOf(challenge) },
  });
}

function checkRecoveryCode(state: UserState, command: CheckRecoveryCode): Decision<UserEvent> {
  const { now: at, hash, challenge } = command;
  const isGood = state.recoveryCodeHashes?.includes(hash) === true;
  const judged = judgedAs(state, command, 'recovery_code', isGood);
  if (judged.refusal !== undefined) return judged;
  return accept<UserEvent>(...judged.events, {
    type: 'RecoveryCodeUsed',
    data: { at, hash, ...challengeOf(challenge) },
  });
}

function judgedAs(
  state: UserState,
  { now: at, device, pii, challenge }: SecondFactorCheck,
  factor: FactorCheckFailed['data']['factor'],
  matches: boolean,
): Decision<UserEvent> {
  return judgeSecondFactor(state, { now: at, matches, device, pii }, (by) => ({
    type: 'FactorCheckFailed',
    data: { at, factor, ...challengeOf(challenge), ...by },
    pii,
  }));
}

function challengeOf(challenge: LoginChallenge | null): { challengeId?: string } {
  return challenge === null ? {} : { challengeId: challenge.id };
}
