import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { typedDigits } from '../../domain/kernel/typed-digits.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { PayTry } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { isSameText, mailCode } from '../../platform/crypto/mail-secret.ts';
import type { OtpRequestNamed } from '../../platform/crypto/otp-handle.ts';
import type { DeviceToken } from '../../tables/device-token.ts';
import { findUser } from '../../tables/user.ts';
import { refuse } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { findUserWithSessions } from '../guard.ts';
import { PersonalData } from '../personal-data.ts';
import { changeUser } from '../user/change-user.ts';
import { endedByFirstProof } from '../user/first-proof.ts';
import { goesFirst, knownDevice, presentedDevice } from '../user/known-device.ts';
import { mailSecretContext } from '../user/mail-proof.ts';
import { tellingRefusal } from '../user/unrecorded-refusal.ts';
import { afterFirstFactor } from './after-first-factor.ts';
import { expensesOf, type LoginExpenses } from './begin-session.ts';
import { grantedAudience, type LoginRequest } from './login-request.ts';
import type { IssuedTokens } from './token-set.ts';
import { onceOnly } from './used-proof.ts';

export interface LogInByCodeInput extends LoginRequest {
  /** What the caller's handle names; null where it is none of ours. */
  readonly asked: OtpRequestNamed | null;
  readonly code: string;
  /** Called before the code is compared, unless a known device asks. */
  readonly payTry: PayTry;
}

/**
 * Checks a code from a mail, then begins a session or asks for the second factor
 * (`after-first-factor.ts`). The first proof of an address ends what was made before it, a second
 * factor too, in the same transaction. Raises `invalid_credentials` for whatever is wrong with the
 * code, its request or its user, `mfa_required`, `invalid_client`, `forbidden` (a third party),
 * `invalid_request` (audience), `invalid_dpop_proof`, `unavailable`.
 */
export async function logInByCode(
  node: Node,
  input: LogInByCodeInput,
  by: By,
): Promise<IssuedTokens> {
  const audience = grantedAudience(node, input);
  const { asked } = input;
  const { known, device } = await node.loginLookups.run(turnOf(by), async () => {
    if (asked === null) return { known: null, device: null };
    const { readers } = node.cells.of(asked.userId);
    const user = await findUser(readers, asked.userId);
    const token = user && (await presentedDevice(readers, user, input.deviceToken));
    return { known: user, device: token };
  });
  const preferred = known !== null && goesFirst(known.state, device, node.now());
  // A known device has its own count of failures: what strangers beside it spent is not asked.
  if (!preferred) await input.payTry();
  if (known === null || asked === null) {
    node.metrics.logins.inc({ outcome: 'refused', reason: 'unknown_request' });
    throw new LatchkeyError('invalid_credentials', { detail: 'a code for no request of ours' });
  }
  const checked = { asked, audience, device, expenses: expensesOf(node, asked.userId, input) };
  return onceOnly(() =>
    node.cells.of(asked.userId).handler.run(asked.userId, () => attempt(node, input, checked, by)),
  );
}

interface Checked {
  readonly asked: OtpRequestNamed;
  readonly audience: readonly string[];
  readonly device: DeviceToken | null;
  readonly expenses: LoginExpenses;
}

async function attempt(
  node: Node,
  input: LogInByCodeInput,
  { asked: { userId, requestId }, audience, device, expenses }: Checked,
  by: By,
): Promise<Attempt<IssuedTokens>> {
  const now = node.now();
  const [user, live] = await findUserWithSessions(node.cells.of(userId).readers, userId);
  if (user === null) throw new LatchkeyError('invalid_credentials', { detail: 'user is gone' });
  const personal = await PersonalData.of(node.subjectKeys, userId, user.subjectKey);
  // Of the row as it is now: whatever changed since the request makes it another code.
  const context = mailSecretContext(userId, user.state, 'otp', requestId);
  const onRefused = () => {
    node.metrics.logins.inc({ outcome: 'refused', reason: 'otp' });
    node.metrics.mailProofs.inc({ purpose: 'otp', outcome: 'refused' });
  };
  const checked = tellingRefusal(onRefused, () =>
    changeUser(userId, user, {
      type: 'CheckOtp',
      now,
      requestId,
      matches: isSameText(mailCode(node.secrets.mailProofKey, context), typedDigits(input.code)),
      device: knownDevice(device),
      pii: personal.sealPlace(by),
    }),
  );
  if (checked.refusal !== undefined) return refuse(by, checked, 'code does not match', onRefused);
  const ended = endedByFirstProof(userId, { before: user.state, after: checked.state, live }, now);
  const first = {
    ...{ now, user, checked, personal, audience, device, expenses },
    live: ended === null ? live : [],
    beside: ended ?? [],
    amr: ['otp'],
    rehashed: null,
    onAccepted: () => node.metrics.mailProofs.inc({ purpose: 'otp', outcome: 'proven' }),
  };
  return afterFirstFactor(node, input, first, by);
}
