import type { KnownDevices } from './known-devices.ts';
import type { FailureCount } from './lockout.ts';
import type { LoginChallenges } from './login-challenges.ts';
import type { MailProofs } from './mail-proofs.ts';
import type { Totp } from './second-factor.ts';

/** The folded user, which is also its row. Times: epoch ms. The failures are those of strangers. */
export interface UserState extends FailureCount {
  readonly status: 'none' | 'active' | 'disabled' | 'erased';
  readonly registeredAt: number;
  readonly emailVerified: boolean;
  readonly hasPassword: boolean;
  readonly roles: readonly string[];
  /**
   * Counts what changes the tokens of the user, and stands in each. Most changes make tokens of a
   * lower epoch stale (`tables/revocation.ts`). Starts at 0.
   */
  readonly epoch: number;
  readonly devices: KnownDevices;
  readonly passwordChangedAt: number | null;
  readonly pii: Uint8Array | null;
  /** Codes and links that are on their way; null before the first one. */
  readonly mailProofs: MailProofs | null;
  /** The address that the open `email_change` proves, enciphered. */
  readonly newEmailPii: Uint8Array | null;
  /** How often the address has changed: a code or a link is for one address. */
  readonly emailVersion: number;
  readonly erasedAt: number | null;
  /** null: never enrolled, or removed. */
  readonly totp: Totp | null;
  /** Those that were not used; null without a second factor. */
  readonly recoveryCodeHashes: readonly string[] | null;
  readonly loginChallenges: LoginChallenges | null;
}

export const initialUser: UserState = {
  status: 'none',
  registeredAt: 0,
  emailVerified: false,
  hasPassword: false,
  roles: [],
  epoch: 0,
  failedChecks: 0,
  lockCount: 0,
  lockedUntil: null,
  lastFailureAt: null,
  devices: { epoch: 0, failures: [] },
  passwordChangedAt: null,
  pii: null,
  mailProofs: null,
  newEmailPii: null,
  emailVersion: 0,
  erasedAt: null,
  totp: null,
  recoveryCodeHashes: null,
  loginChallenges: null,
};
