/** An authenticator app (RFC 6238). Its secret is beside the log, wrapped, under `factorId`. */
export interface Totp {
  /** Given out and not confirmed yet: proves nothing. Times: epoch milliseconds. */
  readonly pending: { readonly factorId: string; readonly expiresAt: number } | null;
  readonly confirmed: {
    readonly factorId: string;
    readonly confirmedAt: number;
    /** The last time step of which a code was accepted. None before it is accepted any more. */
    readonly step: number;
  } | null;
}

interface WithTotp {
  readonly totp: Totp | null;
}

export const totpEnrolmentSeconds = 600;

const none: Totp = { pending: null, confirmed: null };

export function totpOf({ totp }: WithTotp): Totp {
  return totp ?? none;
}

/** Whether a login needs a second factor. */
export function hasSecondFactor(state: WithTotp): boolean {
  return totpOf(state).confirmed !== null;
}

/** The factors whose secrets are kept. */
export function factorIdsOf(state: WithTotp): readonly string[] {
  const { pending, confirmed } = totpOf(state);
  return [pending, confirmed].flatMap((factor) => factor?.factorId ?? []);
}

/**
 * The same without what was given out and not confirmed. Who becomes an administrator may need a code
 * to enrol (`ADMIN_SECOND_FACTOR`), so nothing that was given out before may be confirmed after.
 */
export function withoutPending(state: WithTotp): WithTotp {
  const { confirmed } = totpOf(state);
  return { totp: confirmed === null ? null : { pending: null, confirmed } };
}

/** What a user has once the second factor is gone, whoever removed it. */
export const withoutSecondFactor = {
  totp: null,
  recoveryCodeHashes: null,
  loginChallenges: null,
} as const;

/**
 * The step whose code was given, of those that the code fits: the first one that is later than every
 * step accepted before (RFC 6238 section 5.2). null: there is none.
 */
export function freshStep(matchingSteps: readonly number[], acceptedStep: number): number | null {
  return matchingSteps.toSorted((a, b) => a - b).find((step) => step > acceptedStep) ?? null;
}
