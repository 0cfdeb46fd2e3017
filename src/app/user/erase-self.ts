import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { PayTry } from '../../node/failure-budget.ts';
import type { Node } from '../../node/node.ts';
import { findUser } from '../../tables/user.ts';
import { append, refuse } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { findUserWithSessions } from '../guard.ts';
import { PersonalData } from '../personal-data.ts';
import { changeUser } from './change-user.ts';
import { erasure } from './erasure.ts';
import { presentedPassword } from './presented-password.ts';

export interface EraseSelfInput {
  readonly userId: string;
  readonly sessionId: string;
  readonly password: string;
  /** Called before the password is compared. */
  readonly payTry: PayTry;
}

/**
 * Erases the user who asks, once the password was given; wrong ones count and lock as at a change of
 * the password. Raises `invalid_credentials`, `conflict` (the last administrator), `invalid_token`,
 * `unavailable`: also when the user is erased and could not be written down outside the database
 * yet, which a worker then does.
 */
export async function eraseSelf(node: Node, input: EraseSelfInput, by: By): Promise<void> {
  const { userId } = input;
  await node.erasures.requireWritable();
  const { readers, handler } = node.cells.of(userId);
  const known = await findUser(readers, userId);
  if (known === null) throw gone();
  const personal = await PersonalData.of(node.subjectKeys, userId, known.subjectKey);
  const { password, hash } = presentedPassword(input.password, known.passwordHash);
  const { matches } = await node.hasher.verify(hash, password, {
    ...turnOf(by),
    onBegin: input.payTry,
  });
  const comparedWith = known.state.passwordChangedAt;
  const checked = { matches, comparedWith, pii: personal.sealPlace(by) };
  await handler.run(userId, () => attempt(node, input, checked, by));
}

interface Checked {
  readonly matches: boolean;
  readonly comparedWith: number | null;
  readonly pii: Uint8Array;
}

async function attempt(
  node: Node,
  { userId, sessionId }: EraseSelfInput,
  { matches, comparedWith, pii }: Checked,
  by: By,
): Promise<Attempt<void>> {
  const now = node.now();
  const [user, live] = await findUserWithSessions(node.cells.of(userId).readers, userId);
  if (user === null) throw gone();
  const before = changeUser(userId, user, {
    type: 'CheckPassword',
    now,
    matches,
    comparedWith,
    // As at a change of the password: a live session counts its own failures.
    device: { id: sessionId, epoch: user.state.devices.epoch },
    pii,
  });
  if (before.refusal !== undefined) return refuse(by, before, 'password does not match');
  const parts = await erasure(node, { user, live, now, before });
  return append(by, parts, () => node.erasures.record({ userId, erasedAt: now }));
}

function gone(): LatchkeyError {
  return new LatchkeyError('invalid_token', { detail: 'user is gone' });
}
