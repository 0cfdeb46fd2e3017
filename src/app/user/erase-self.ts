import { invalidField } from '../../domain/kernel/errors.ts';
import { hasSecondFactor } from '../../domain/user/second-factor.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { append, refuse } from '../append.ts';
import type { By } from '../by.ts';
import { findUserWithSessions } from '../guard.ts';
import { erasure } from './erasure.ts';
import { type FactorOwner, userIsGone } from './own-factor.ts';
import { type ComparedPassword, comparePassword, type OwnProof, shownProof } from './own-proof.ts';

export interface EraseSelfInput extends FactorOwner {
  /** null: of a user who has neither a password nor a second factor. */
  readonly proof: OwnProof | null;
}

/**
 * Erases the user who asks, once the password or the second factor was given; wrong ones count and
 * lock as at a change of the password. Raises `invalid_request` (there is a proof to give),
 * `invalid_credentials`, `conflict` (the last administrator), `invalid_token`, `unavailable`: also
 * when the user is erased and could not be written down outside the database yet, which a worker then
 * does.
 */
export async function eraseSelf(node: Node, input: EraseSelfInput, by: By): Promise<void> {
  const { userId, proof } = input;
  await node.erasures.requireWritable();
  const compared = proof === null ? null : await comparePassword(node, input, proof, by);
  await node.cells.of(userId).handler.run(userId, () => attempt(node, input, compared, by));
}

async function attempt(
  node: Node,
  { userId, sessionId, proof }: EraseSelfInput,
  compared: ComparedPassword,
  by: By,
): Promise<Attempt<void>> {
  const now = node.now();
  const [user, live] = await findUserWithSessions(node.cells.of(userId).readers, userId);
  if (user === null) throw userIsGone();
  if (proof === null && (user.state.hasPassword || hasSecondFactor(user.state))) {
    throw invalidField('password', 'or a second factor is required');
  }
  const before =
    proof === null
      ? undefined
      : await shownProof(node, { user, sessionId }, { proof, compared }, by);
  if (before?.refusal !== undefined) {
    return refuse(by, before, 'erasure: the proof does not match');
  }
  const parts = await erasure(node, { user, live, now, ...(before && { before }) });
  return append(by, parts, () => node.erasures.record({ userId, erasedAt: now }));
}
