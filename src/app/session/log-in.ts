import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { PayTry } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import type { DeviceToken } from '../../tables/device-token.ts';
import type { UserForCommand } from '../../tables/user.ts';
import { refuse } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { findUserWithSessions } from '../guard.ts';
import { PersonalData } from '../personal-data.ts';
import { changeUser } from '../user/change-user.ts';
import { findUserByLogin, type LoginName } from '../user/find-user-by-login.ts';
import { goesFirst, knownDevice, presentedDevice } from '../user/known-device.ts';
import { presentedPassword } from '../user/presented-password.ts';
import { tellingRefusal } from '../user/unrecorded-refusal.ts';
import { afterFirstFactor } from './after-first-factor.ts';
import { expensesOf, type LoginExpenses } from './begin-session.ts';
import { grantedAudience, type LoginRequest } from './login-request.ts';
import type { IssuedTokens } from './token-set.ts';
import { onceOnly } from './used-proof.ts';

export interface LogInInput extends LoginRequest, LoginName {
  readonly password: string;
  /** Called before the password is compared, unless a known device asks. */
  readonly payTry: PayTry;
}

/**
 * Checks the password, then begins a session or asks for the second factor
 * (`after-first-factor.ts`). Everything costs the same whether or not the identifier is known. Raises
 * `invalid_credentials`, `mfa_required`, `invalid_client`, `forbidden` (a third party),
 * `invalid_request` (audience), `invalid_dpop_proof` (a proof that another node has taken),
 * `unavailable`.
 */
export async function logIn(node: Node, input: LogInInput, by: By): Promise<IssuedTokens> {
  const audience = grantedAudience(node, input);
  const { known, device } = await node.loginLookups.run(turnOf(by), async () => {
    const user = await findUserByLogin(node, input);
    const token =
      user && (await presentedDevice(node.cells.of(user.userId).readers, user, input.deviceToken));
    return { known: user, device: token };
  });
  const preferred = known !== null && goesFirst(known.state, device, node.now());
  const turn = { ...turnOf(by), preferred };
  const { password, hash } = presentedPassword(input.password, known?.passwordHash ?? null);
  const check = await node.hasher.verify(hash, password, {
    ...turn,
    // A known device has its own count of failures: what strangers beside it spent is not asked.
    ...(preferred ? {} : { onBegin: input.payTry }),
  });
  if (known === null) {
    // No event: a stranger must not be able to grow the log.
    node.metrics.logins.inc({ outcome: 'refused', reason: 'unknown_identifier' });
    throw new LatchkeyError('invalid_credentials', { detail: 'unknown identifier' });
  }
  const rehashed = check.needsRehash ? await node.hasher.hash(password, turn) : null;
  const expenses = expensesOf(node, known.userId, input);
  const checked = { known, audience, device, matches: check.matches, rehashed, expenses };
  try {
    return await onceOnly(() =>
      node.cells
        .of(known.userId)
        .handler.run(known.userId, () => attempt(node, input, checked, by)),
    );
  } catch (error) {
    // The password changed during the check: the answer is that of any wrong password.
    if (!(error instanceof LatchkeyError) || error.code !== 'conflict') throw error;
    throw new LatchkeyError('invalid_credentials', { cause: error, detail: error.detail ?? '' });
  }
}

interface Checked {
  readonly known: UserForCommand;
  readonly audience: readonly string[];
  readonly device: DeviceToken | null;
  readonly matches: boolean;
  readonly rehashed: string | null;
  readonly expenses: LoginExpenses;
}

async function attempt(
  node: Node,
  input: LogInInput,
  { known, audience, device, matches, rehashed, expenses }: Checked,
  by: By,
): Promise<Attempt<IssuedTokens>> {
  const { userId } = known;
  const now = node.now();
  const [user, live] = await findUserWithSessions(node.cells.of(userId).readers, userId);
  if (user === null) throw new LatchkeyError('invalid_credentials', { detail: 'user is gone' });
  const personal = await PersonalData.of(node.subjectKeys, userId, user.subjectKey);
  const onRefused = () => node.metrics.logins.inc({ outcome: 'refused', reason: 'password' });
  const checked = tellingRefusal(onRefused, () =>
    changeUser(userId, user, {
      type: 'CheckPassword',
      now,
      matches,
      comparedWith: known.state.passwordChangedAt,
      device: knownDevice(device),
      pii: personal.sealPlace(by),
    }),
  );
  if (checked.refusal !== undefined) {
    return refuse(by, checked, 'password does not match', onRefused);
  }
  const amr = ['pwd'];
  const first = { now, user, checked, live, personal, amr, audience, device, expenses, rehashed };
  return afterFirstFactor(node, input, first, by);
}
