import { isReservedRole } from '@latchkey/contract/reserved-role';
import { limits } from '../kernel/limits.ts';

export const adminRole = 'latchkey:admin';
export const auditorRole = 'latchkey:auditor';

/** Roles travel in a token and in the X-Auth-Roles header: visible ASCII without separators. */
const rolePattern = /^[A-Za-z0-9][A-Za-z0-9._:/-]*$/;

/** Whether `role` may be granted: a free name, or one of the two that have rights here. */
export function isRoleName(role: string): boolean {
  if (role.length > limits.roleCharactersMax || !rolePattern.test(role)) return false;
  if (!isReservedRole(role)) return true;
  return role === adminRole || role === auditorRole;
}
