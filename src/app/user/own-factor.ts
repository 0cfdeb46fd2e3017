import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { hasSecondFactor } from '../../domain/user/second-factor.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { PayTry } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import type { Change } from '../../tables/change.ts';
import type { UserForCommand } from '../../tables/user.ts';
import type { By } from '../by.ts';
import { PersonalData } from '../personal-data.ts';
import { changeUser } from './change-user.ts';
import { checkOf, type PresentedFactor } from './presented-factor.ts';
import { tellingRefusal } from './unrecorded-refusal.ts';

/** Who changes the own second factor, with the access token of which session. */
export interface FactorOwner {
  readonly userId: string;
  readonly sessionId: string;
  /** Called before the factor is compared. */
  readonly payTry: PayTry;
}

/**
 * The change by which a user with a second factor shows it, in the same append as what it is shown
 * for. A live session is no stranger: it counts its own failures. Raises `invalid_credentials`,
 * `conflict` (the user has no second factor), `invalid_request` (none was given), `unavailable`.
 */
export async function shownFactor(
  node: Node,
  { user, sessionId }: Pick<FactorOwner, 'sessionId'> & { readonly user: UserForCommand },
  factor: PresentedFactor | null,
  by: By,
): Promise<Change<UserState>> {
  if (!hasSecondFactor(user.state)) {
    throw new LatchkeyError('conflict', { detail: 'the user has no second factor' });
  }
  if (factor === null) throw invalidField('totp', 'or a recovery code is needed');
  const now = node.now();
  const check = await checkOf(node, user, factor, {
    now,
    device: sessionCount(user, sessionId),
    pii: (await personalOf(node, user)).sealPlace(by),
    challenge: null,
  });
  const count = (outcome: 'accepted' | 'refused') =>
    node.metrics.secondFactors.inc({ factor: factor.kind, outcome });
  const onRefused = () => count('refused');
  const checked = tellingRefusal(onRefused, () => changeUser(user.userId, user, check));
  count(checked.refusal === undefined ? 'accepted' : 'refused');
  return checked;
}

/** Whose failures a session counts: its own. */
export function sessionCount({ state }: Pick<UserForCommand, 'state'>, sessionId: string) {
  return { id: sessionId, epoch: state.devices.epoch };
}

export function personalOf(node: Pick<Node, 'subjectKeys'>, user: UserForCommand) {
  return PersonalData.of(node.subjectKeys, user.userId, user.subjectKey);
}

export function userIsGone(): LatchkeyError {
  return new LatchkeyError('invalid_token', { detail: 'user is gone' });
}
