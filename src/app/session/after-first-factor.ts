import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { slotOf } from '../../domain/kernel/ids.ts';
import { challengeFor } from '../../domain/user/open-challenge.ts';
import { hasSecondFactor } from '../../domain/user/second-factor.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import type { Change } from '../../tables/change.ts';
import { passwordRows, type UserForCommand } from '../../tables/user.ts';
import { append, type Part, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { guarded } from '../guard.ts';
import { beginSession, type Newcomer } from './begin-session.ts';
import type { LoginRequest } from './login-request.ts';
import { sealLogin } from './sealed-login.ts';
import type { IssuedTokens } from './token-set.ts';
import { usedUp, useUp } from './used-proof.ts';

/** A login whose factor was accepted. `live`: see `Newcomer`. */
export interface AcceptedFactor extends Omit<Newcomer, 'userId' | 'state'> {
  /** As read before this command. */
  readonly user: UserForCommand;
  /** What accepted the factor; often no event. */
  readonly checked: Change<UserState>;
  /** What changes with it beside the user. */
  readonly beside?: readonly Part[];
  /** A better hash of the password, if it has given one. */
  readonly rehashed: string | null;
  /** Called once the acceptance is in the log. */
  readonly onAccepted?: () => void;
}

/**
 * What follows a right first factor, whichever it was: the session, or, for a user with a second
 * factor, the refusal `mfa_required` with the challenge that asks for it. Then there is no session,
 * no cookie and no device token yet, and the right first factor has cleared no failure.
 */
export async function afterFirstFactor(
  node: Node,
  request: LoginRequest,
  first: AcceptedFactor,
  by: By,
): Promise<Attempt<IssuedTokens>> {
  const needsSecond = hasSecondFactor(first.checked.state);
  return needsSecond
    ? demandSecondFactor(node, request, first, by)
    : afterLastFactor(node, request, first, by);
}

/** The session begins, in the append that accepts the factor. */
export async function afterLastFactor(
  node: Node,
  request: LoginRequest,
  { user, checked, beside = [], rehashed, onAccepted, ...accepted }: AcceptedFactor,
  by: By,
): Promise<Attempt<IssuedTokens>> {
  const { userId } = user;
  const { state } = checked;
  const begun = await beginSession(node, request, { ...accepted, userId, state }, by);
  return append(
    { ...by, actor: { type: 'user', id: userId } },
    [
      guarded(user, checked),
      { rows: passwordRows(userId, state, rehashed) },
      ...beside,
      ...begun.parts,
    ],
    () => {
      onAccepted?.();
      return begun.answer();
    },
  );
}

async function demandSecondFactor(
  node: Node,
  request: LoginRequest,
  { user, checked, beside = [], now, onAccepted, ...first }: AcceptedFactor,
  by: By,
): Promise<Attempt<IssuedTokens>> {
  const { amr, audience, device, rehashed } = first;
  const { userId } = user;
  const challenge = sealLogin(node.secrets.loginChallengeKey, {
    userId,
    challenge: challengeFor(checked.state, newId(slotOf(userId)), now),
    amr,
    clientId: request.clientId,
    audience,
    deviceType: request.device.type,
    deviceName: request.device.name,
    deviceId: device?.deviceId ?? null,
    transport: request.transport,
    jkt: request.key?.jkt ?? null,
    rehashed,
  });
  const answer = () => {
    onAccepted?.();
    node.metrics.logins.inc({ outcome: 'challenged', reason: 'second_factor' });
    const detail = 'the first factor was right';
    throw new LatchkeyError('mfa_required', { facts: { challenge }, detail });
  };
  if (checked.events.length === 0) {
    await useUp(node.cells.of(userId).readers, request.key);
    return unchanged(answer);
  }
  return append(by, [guarded(user, checked), ...beside, usedUp(request.key)], answer);
}
