const reservedRolePrefix = 'latchkey:';

/**
 * Whether the name of the role is Latchkey's own. Such a role may give rights over Latchkey, so the
 * issuer's key alone gives it. Upper case counts too: services compare names as they like.
 */
export function isReservedRole(role: string): boolean {
  return role.slice(0, reservedRolePrefix.length).toLowerCase() === reservedRolePrefix;
}
