import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { findUser } from '../../tables/user.ts';
import { append, refuse } from '../append.ts';
import type { By } from '../by.ts';
import { consecutive } from '../consecutive-changes.ts';
import { changeUser } from './change-user.ts';
import { newRecoveryCodes } from './new-recovery-codes.ts';
import { type FactorOwner, shownFactor, userIsGone } from './own-factor.ts';
import type { PresentedFactor } from './presented-factor.ts';

type Input = FactorOwner & { readonly factor: PresentedFactor | null };

/**
 * Ten new recovery codes for who shows the second factor, once; those before are worth nothing any
 * more. Raises `invalid_request`, `invalid_credentials`, `unavailable`.
 */
export async function issueRecoveryCodes(
  node: Node,
  input: Input,
  by: By,
): Promise<readonly string[]> {
  const { userId, payTry } = input;
  await payTry();
  return node.cells.of(userId).handler.run(userId, () => attempt(node, input, by));
}

async function attempt(node: Node, input: Input, by: By): Promise<Attempt<readonly string[]>> {
  const { userId, factor } = input;
  const user = await findUser(node.cells.of(userId).readers, userId);
  if (user === null) throw userIsGone();
  const shown = await shownFactor(node, { ...input, user }, factor, by);
  if (shown.refusal !== undefined) return refuse(by, shown, 'second factor does not match');
  const { codes, hashes } = newRecoveryCodes();
  const issue = { type: 'IssueRecoveryCodes', now: node.now(), hashes } as const;
  const issued = consecutive(shown, changeUser(userId, shown, issue));
  return append(by, [issued], () => codes);
}
