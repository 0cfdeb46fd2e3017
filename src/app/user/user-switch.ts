/** What disabling, enabling and unlocking a user are given. */
export interface UserSwitch {
  readonly userId: string;
  readonly idempotencyKey: string | null;
}
