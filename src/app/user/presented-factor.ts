import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { typedDigits } from '../../domain/kernel/typed-digits.ts';
import type { SecondFactorCheck } from '../../domain/user/check-second-factor.ts';
import { recoveryCodeHash } from '../../domain/user/recovery-code.ts';
import { factorIdsOf, totpOf } from '../../domain/user/second-factor.ts';
import type { Node } from '../../node/node.ts';
import { KeyWrapError } from '../../platform/crypto/key-wrap.ts';
import { matchingSteps } from '../../platform/crypto/totp.ts';
import { findTotpSecret, totpKeyId } from '../../tables/totp-secret.ts';
import { findUser, type UserForCommand } from '../../tables/user.ts';

/** What somebody gives as the second factor, as it was typed. */
export interface PresentedFactor {
  readonly kind: 'totp' | 'recovery_code';
  readonly code: string;
}

type Given = Pick<SecondFactorCheck, 'now' | 'device' | 'pii' | 'challenge'>;

/** The command that checks a presented factor of this user. Raises `unavailable`. */
export async function checkOf(
  node: Pick<Node, 'cells' | 'keyWrap'>,
  { userId, state }: Pick<UserForCommand, 'userId' | 'state'>,
  { kind, code }: PresentedFactor,
  given: Given,
): Promise<SecondFactorCheck> {
  if (kind === 'recovery_code') {
    return { ...given, type: 'CheckRecoveryCode', hash: recoveryCodeHash(code) };
  }
  const factorId = totpOf(state).confirmed?.factorId ?? null;
  const steps = await stepsOf(node, userId, { factorId, code, now: given.now });
  return { ...given, type: 'CheckTotp', factorId, matchingSteps: steps };
}

/**
 * The steps whose code of that factor this is; none without a factor. Raises `conflict` (the factor
 * changed meanwhile), `unavailable`.
 */
export async function stepsOf(
  node: Pick<Node, 'cells' | 'keyWrap'>,
  userId: string,
  { factorId, code, now }: { factorId: string | null; code: string; now: number },
): Promise<number[]> {
  if (factorId === null) return [];
  const wrapped = await findTotpSecret(node.cells.of(userId).readers, factorId);
  if (wrapped === null) throw await withoutSecret(node, userId, factorId);
  const secret = await node.keyWrap.unwrap(totpKeyId(factorId), wrapped).catch((cause: unknown) => {
    if (!(cause instanceof KeyWrapError)) throw cause;
    throw unavailable(cause.message, cause);
  });
  return matchingSteps(secret, typedDigits(code), now);
}

/** The secret goes with its factor, so the user as read before is no longer the one there is. */
async function withoutSecret({ cells }: Pick<Node, 'cells'>, userId: string, factorId: string) {
  const user = await findUser(cells.of(userId).readers, userId);
  const isLost = user !== null && factorIdsOf(user.state).includes(factorId);
  return isLost
    ? unavailable('the secret of the factor is not there')
    : new LatchkeyError('conflict', { detail: 'the factor changed during the check' });
}

function unavailable(detail: string, cause?: unknown): LatchkeyError {
  return new LatchkeyError('unavailable', { retryAfterSeconds: 1, detail, cause });
}
