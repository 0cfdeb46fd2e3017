import { accept, type Decision } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import type { UserEvent } from './events.ts';
import { type GivenFactor, judgeWithoutClearing } from './judge-factor.ts';
import { recoveryCodeCount } from './recovery-code.ts';
import { freshStep, hasSecondFactor, totpEnrolmentSeconds, totpOf } from './second-factor.ts';
import type { UserState } from './state.ts';

/**
 * Gives out a secret. Who has a confirmed factor must have shown it, or a recovery code, in the same
 * append (`checkSecondFactor`).
 */
export interface EnrolTotp {
  readonly type: 'EnrolTotp';
  readonly now: number;
  readonly factorId: string;
}

/** The first code of the pending factor, compared with its secret as in `CheckTotp`. */
export interface ConfirmTotp extends Omit<GivenFactor, 'matches'> {
  readonly type: 'ConfirmTotp';
  readonly factorId: string | null;
  readonly matchingSteps: readonly number[];
  /** Of the recovery codes that the user is shown now. */
  readonly recoveryCodeHashes: readonly string[];
}

/** As for `EnrolTotp`, who is asked for the factor has shown it. */
export interface RemoveTotp {
  readonly type: 'RemoveTotp';
  readonly now: number;
  readonly by: 'user' | 'admin';
}

/** As for `EnrolTotp`, who is asked for the factor has shown it. */
export interface IssueRecoveryCodes {
  readonly type: 'IssueRecoveryCodes';
  readonly now: number;
  readonly hashes: readonly string[];
}

export type SecondFactorChange = EnrolTotp | ConfirmTotp | RemoveTotp | IssueRecoveryCodes;

/**
 * Throws `forbidden` (a disabled user), `conflict` (nothing to confirm, no factor), and for a first
 * code `invalid_credentials`.
 */
export function changeSecondFactor(
  state: UserState,
  command: SecondFactorChange,
): Decision<UserEvent> {
  const { now: at } = command;
  if (command.type === 'RemoveTotp') return remove(state, command);
  if (state.status !== 'active') throw new LatchkeyError('forbidden', { detail: 'disabled user' });
  switch (command.type) {
    case 'EnrolTotp': {
      const { factorId } = command;
      const expiresAt = at + totpEnrolmentSeconds * 1000;
      return accept({ type: 'TotpEnrolled', data: { at, factorId, expiresAt } });
    }
    case 'ConfirmTotp':
      return confirm(state, command);
    case 'IssueRecoveryCodes':
      if (!hasSecondFactor(state)) throw noFactor();
      return accept({ type: 'RecoveryCodesIssued', data: issued(at, command.hashes) });
  }
}

/** A right first code clears no count: who enrols knows the secret, and no other factor. */
function confirm(state: UserState, command: ConfirmTotp): Decision<UserEvent> {
  const { now: at, factorId, matchingSteps, device, pii } = command;
  const { pending } = totpOf(state);
  if (pending === null || pending.factorId !== factorId || at >= pending.expiresAt) {
    throw new LatchkeyError('conflict', { detail: 'no enrolment is open' });
  }
  const step = freshStep(matchingSteps, 0);
  const given = { now: at, matches: step !== null, device, pii };
  const judged = judgeWithoutClearing(state, given, (by) => ({
    type: 'FactorCheckFailed',
    data: { at, factor: 'totp', ...by },
    pii,
  }));
  if (judged.refusal !== undefined) return judged;
  return accept<UserEvent>(
    { type: 'TotpConfirmed', data: { at, factorId, step: step! } },
    { type: 'RecoveryCodesIssued', data: issued(at, command.recoveryCodeHashes) },
    epochRaised(state, at),
  );
}

/** A pending factor goes too. One that was never confirmed is none: it runs out by itself. */
function remove(state: UserState, { now: at, by }: RemoveTotp): Decision<UserEvent> {
  if (hasSecondFactor(state)) {
    return accept<UserEvent>({ type: 'TotpRemoved', data: { at, by } }, epochRaised(state, at));
  }
  if (by === 'admin') return accept();
  throw noFactor();
}

function epochRaised({ epoch }: UserState, at: number): UserEvent {
  return { type: 'UserEpochRaised', data: { at, epoch: epoch + 1, cause: 'factor_changed' } };
}

function issued(at: number, hashes: readonly string[]) {
  if (new Set(hashes).size !== recoveryCodeCount) throw new Error('ten recovery codes are issued');
  return { at, hashes: [...hashes] };
}

function noFactor(): LatchkeyError {
  return new LatchkeyError('conflict', { detail: 'the user has no second factor' });
}
