import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { isCommonPassword } from '../../domain/user/common-passwords.ts';
import { checkNewPassword } from '../../domain/user/password-rules.ts';
import type { Node } from '../../node/node.ts';
import { passwordWords } from '../../platform/crypto/password-words.ts';

/** The password as it is hashed. Raises `password_refused` with every reason. */
export function acceptedPassword(
  { config }: Pick<Node, 'config'>,
  password: string,
  identifier: string,
): string {
  const check = checkNewPassword(password, {
    isCommon: isCommonPassword,
    ranks: passwordWords,
    identifier,
    serviceHost: new URL(config.tokens.issuer).hostname,
  });
  if (check.ok) return check.normalized;
  throw new LatchkeyError('password_refused', { facts: { reasons: check.reasons } });
}
