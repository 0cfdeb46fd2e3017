export const loginChallengeSeconds = 300;

/** What a login has shown by its first factor, and how the user was then. Times: epoch ms. */
export interface LoginChallenge {
  readonly id: string;
  readonly expiresAt: number;
  readonly factorId: string;
  readonly passwordChangedAt: number | null;
  readonly emailVersion: number;
  /** `devices.epoch`: raised by a disabled user, a logout everywhere, a new password or factor. */
  readonly devicesEpoch: number;
}

/** Of a challenge that was tried: how often in vain, and whether a login has used it. */
interface TriedChallenge {
  readonly id: string;
  readonly failures: number;
  readonly used: boolean;
  /** By then it has expired. */
  readonly until: number;
}

export type LoginChallenges = readonly TriedChallenge[];

/** One more try of that challenge, in vain or not. */
export function withTry(
  stored: LoginChallenges | null,
  { id, at, used }: { readonly id: string; readonly at: number; readonly used: boolean },
): LoginChallenges {
  const before = stored?.find((challenge) => challenge.id === id);
  const tried = {
    id,
    failures: (before?.failures ?? 0) + (used ? 0 : 1),
    used,
    until: before?.until ?? at + loginChallengeSeconds * 1000,
  };
  return [...unexpired(stored, at).filter((challenge) => challenge.id !== id), tried];
}

/** Those that may still be tried, of those that were. */
export function unexpired(stored: LoginChallenges | null, now: number): LoginChallenges {
  return stored?.filter(({ until }) => now < until) ?? [];
}
