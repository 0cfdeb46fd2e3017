import { createHmac } from 'node:crypto';
import { base32, typedBase32 } from '../../domain/kernel/base32.ts';
import { adminRole } from '../../domain/user/roles.ts';
import { hasSecondFactor } from '../../domain/user/second-factor.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { Node } from '../../node/node.ts';
import { isSameText } from '../../platform/crypto/mail-secret.ts';

const codeBytes = 15;

interface Enrolling {
  readonly userId: string;
  readonly state: Pick<UserState, 'roles' | 'devices' | 'totp'>;
}

/**
 * Whether this user needs an enrolment code for a second factor: an administrator who has none yet.
 * Otherwise who stole the password first would enrol the thief's phone.
 */
export function needsEnrolmentCode(
  { config }: Pick<Node, 'config'>,
  { state }: Pick<Enrolling, 'state'>,
): boolean {
  const { secondFactor } = config.administrator;
  return secondFactor && state.roles.includes(adminRole) && !hasSecondFactor(state);
}

/**
 * The code that lets this user enrol. Only who has the KEK can make it. It is over once a factor was
 * confirmed, and with a new password, a logout everywhere or a disabled user.
 */
export function enrolmentCode(
  { secrets }: { readonly secrets: Pick<Node['secrets'], 'enrolmentCodeKey'> },
  { userId, state }: Enrolling,
): string {
  const parts = JSON.stringify([userId, state.devices.epoch]);
  const mac = createHmac('sha256', secrets.enrolmentCodeKey).update(parts).digest();
  return base32(mac.subarray(0, codeBytes)).replace(/(.{4})(?!$)/g, '$1-');
}

/** Whether `typed` is that code, in any spelling. */
export function isEnrolmentCode(
  node: { readonly secrets: Pick<Node['secrets'], 'enrolmentCodeKey'> },
  user: Enrolling,
  typed: string,
): boolean {
  return isSameText(typedBase32(typed), typedBase32(enrolmentCode(node, user)));
}
