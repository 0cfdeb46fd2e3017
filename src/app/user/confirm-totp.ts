import { totpOf } from '../../domain/user/second-factor.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { append, refuse } from '../append.ts';
import type { By } from '../by.ts';
import { findUserWithSessions, guarded } from '../guard.ts';
import { endSessions } from '../session/end-sessions.ts';
import { changeUser } from './change-user.ts';
import { newRecoveryCodes } from './new-recovery-codes.ts';
import { type FactorOwner, personalOf, sessionCount, userIsGone } from './own-factor.ts';
import { stepsOf } from './presented-factor.ts';
import { tellingRefusal } from './unrecorded-refusal.ts';

/**
 * The first code of the secret that `enrolTotp` gave: from now on a login needs one. Answers the
 * recovery codes, once. In the same transaction every other session ends and the user's epoch rises:
 * whoever holds one of those sessions has shown no second factor. Raises `conflict` (no enrolment is
 * open), `invalid_credentials`, `unavailable`.
 */
export async function confirmTotp(
  node: Node,
  input: FactorOwner & { readonly code: string },
  by: By,
): Promise<readonly string[]> {
  const { userId, payTry } = input;
  await payTry();
  return node.cells.of(userId).handler.run(userId, () => attempt(node, input, by));
}

async function attempt(
  node: Node,
  { userId, sessionId, code }: FactorOwner & { readonly code: string },
  by: By,
): Promise<Attempt<readonly string[]>> {
  const now = node.now();
  const [user, live] = await findUserWithSessions(node.cells.of(userId).readers, userId);
  if (user === null) throw userIsGone();
  const factorId = totpOf(user.state).pending?.factorId ?? null;
  const recovery = newRecoveryCodes();
  const matchingSteps = await stepsOf(node, userId, { factorId, code, now });
  const pii = (await personalOf(node, user)).sealPlace(by);
  const onRefused = () => node.metrics.secondFactors.inc({ factor: 'totp', outcome: 'refused' });
  const confirmed = tellingRefusal(onRefused, () =>
    changeUser(userId, user, {
      type: 'ConfirmTotp',
      now,
      factorId,
      matchingSteps,
      device: sessionCount(user, sessionId),
      pii,
      recoveryCodeHashes: recovery.hashes,
    }),
  );
  if (confirmed.refusal !== undefined) {
    return refuse(by, confirmed, 'first code does not match', onRefused);
  }
  const others = live.filter((session) => session.sessionId !== sessionId);
  const ended = endSessions(others, now, 'factor_changed');
  return append(by, [guarded(user, confirmed), ...ended], () => {
    node.metrics.secondFactors.inc({ factor: 'totp', outcome: 'accepted' });
    return recovery.codes;
  });
}
