import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { PayTry } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { refuse } from '../append.ts';
import type { By } from '../by.ts';
import { findUserWithSessions } from '../guard.ts';
import { PersonalData } from '../personal-data.ts';
import { changeUser } from '../user/change-user.ts';
import { knownDevice, presentedDevice } from '../user/known-device.ts';
import { checkOf, type PresentedFactor } from '../user/presented-factor.ts';
import { tellingRefusal } from '../user/unrecorded-refusal.ts';
import { afterLastFactor } from './after-first-factor.ts';
import { expensesOf, type LoginExpenses } from './begin-session.ts';
import { grantedAudience, type LoginRequest } from './login-request.ts';
import { asksForTheSame, type SealedLogin } from './sealed-login.ts';
import type { IssuedTokens } from './token-set.ts';
import { onceOnly } from './used-proof.ts';

export interface CompleteLoginInput extends LoginRequest {
  /** The login that the caller's challenge names; null where it is none of ours. */
  readonly begun: SealedLogin | null;
  readonly factor: PresentedFactor;
  /** Called before the factor is compared. */
  readonly payTry: PayTry;
}

/**
 * The second factor of a login whose first one was right: begins the session. The request repeats
 * what the first one asked for. Whether the user may log in is decided on the user as it is now.
 * Raises `invalid_token` (no open challenge of ours, or for another request), `invalid_credentials`,
 * `invalid_client`, `forbidden`, `invalid_request` (audience), `invalid_dpop_proof`, `unavailable`.
 */
export async function completeLogin(
  node: Node,
  input: CompleteLoginInput,
  by: By,
): Promise<IssuedTokens> {
  const audience = grantedAudience(node, input);
  const { begun: login } = input;
  if (login === null || !asksForTheSame(login, input, audience)) {
    throw noChallenge('none of ours, or for another request');
  }
  // A known device has its own count of failures: what strangers beside it spent is not asked.
  if (login.deviceId === null) await input.payTry();
  const { userId, deviceName: name } = login;
  const request = { ...input, device: { ...input.device, name } };
  const expenses = expensesOf(node, userId, request);
  return onceOnly(() =>
    node.cells
      .of(userId)
      .handler.run(userId, () => attempt(node, request, { login, expenses }, by)),
  );
}

async function attempt(
  node: Node,
  input: CompleteLoginInput,
  { login, expenses }: { readonly login: SealedLogin; readonly expenses: LoginExpenses },
  by: By,
): Promise<Attempt<IssuedTokens>> {
  const { userId, audience, challenge, rehashed } = login;
  const now = node.now();
  const { readers } = node.cells.of(userId);
  const [user, live] = await findUserWithSessions(readers, userId);
  if (user === null) throw noChallenge('user is gone');
  const device = await presentedDevice(readers, user, input.deviceToken);
  if ((device?.deviceId ?? null) !== login.deviceId) throw noChallenge('of another device');
  const personal = await PersonalData.of(node.subjectKeys, userId, user.subjectKey);
  const pii = personal.sealPlace(by);
  const given = { now, device: knownDevice(device), pii, challenge };
  const check = await checkOf(node, user, input.factor, given);
  const factor = input.factor.kind;
  const onRefused = () => {
    node.metrics.secondFactors.inc({ factor, outcome: 'refused' });
    node.metrics.logins.inc({ outcome: 'refused', reason: 'second_factor' });
  };
  const checked = tellingRefusal(onRefused, () => changeUser(userId, user, check));
  if (checked.refusal !== undefined) {
    return refuse(by, checked, 'second factor does not match', onRefused);
  }
  const onAccepted = () => node.metrics.secondFactors.inc({ factor, outcome: 'accepted' });
  const amr = [...new Set([...login.amr, 'otp', 'mfa'])];
  const last = { now, user, checked, live, personal, amr, audience, device, expenses, rehashed };
  return afterLastFactor(node, input, { ...last, onAccepted }, by);
}

function noChallenge(why: string): LatchkeyError {
  return new LatchkeyError('invalid_token', { detail: `challenge: ${why}` });
}
