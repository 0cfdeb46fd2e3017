import { failedOnce } from './failure-counts.ts';
import { withTry } from './login-challenges.ts';
import { totpOf, withoutSecondFactor } from './second-factor.ts';
import type {
  FactorAccepted,
  FactorCheckFailed,
  RecoveryCodeUsed,
  SecondFactorEvent,
} from './second-factor-events.ts';
import type { UserState } from './state.ts';

/** What a second factor, or a try of it, makes of the user. */
export function evolveSecondFactor(state: UserState, event: SecondFactorEvent): UserState {
  const totp = totpOf(state);
  switch (event.type) {
    case 'TotpEnrolled': {
      const { factorId, expiresAt } = event.data;
      return { ...state, totp: { ...totp, pending: { factorId, expiresAt } } };
    }
    case 'TotpConfirmed': {
      const { at: confirmedAt, factorId, step } = event.data;
      return { ...state, totp: { pending: null, confirmed: { factorId, confirmedAt, step } } };
    }
    case 'TotpRemoved':
      return { ...state, ...withoutSecondFactor };
    case 'FactorCheckFailed':
      return { ...failedOnce(state, event.data), ...tried(state, event, false) };
    case 'FactorAccepted': {
      const { confirmed } = totp;
      const accepted = confirmed === null ? null : { ...confirmed, step: event.data.step };
      return { ...state, totp: { ...totp, confirmed: accepted }, ...tried(state, event, true) };
    }
    case 'RecoveryCodesIssued':
      return { ...state, recoveryCodeHashes: event.data.hashes };
    case 'RecoveryCodeUsed': {
      const left = state.recoveryCodeHashes?.filter((hash) => hash !== event.data.hash) ?? null;
      return { ...state, recoveryCodeHashes: left, ...tried(state, event, true) };
    }
  }
}

function tried(
  { loginChallenges }: UserState,
  { data: { at, challengeId } }: FactorCheckFailed | FactorAccepted | RecoveryCodeUsed,
  used: boolean,
): Pick<UserState, 'loginChallenges'> {
  if (challengeId === undefined) return { loginChallenges };
  return { loginChallenges: withTry(loginChallenges, { id: challengeId, at, used }) };
}
