import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { adminRole, auditorRole } from '../../domain/user/roles.ts';
import type { Node } from '../../node/node.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import type { UserForCommand } from '../../tables/user.ts';
import { type By, byProgram } from '../by.ts';
import { findUserByEmail } from './find-user-by-email.ts';
import { registerUser, registrationId } from './register-user.ts';

export interface EnsuredAdministrator {
  readonly created: boolean;
  /** What of the configuration was not applied to a user who was there. */
  readonly warnings: readonly string[];
}

/**
 * `ensureAdministrator` at a start: warns of what was not applied. Throws ConfigError, which names
 * the variable, for an address or a password that the rules refuse.
 */
export async function ensureConfiguredAdministrator(
  node: Node,
  credentials: { readonly email: string; readonly password: string },
  log: { warn(fields: object, message: string): void },
): Promise<void> {
  try {
    const { warnings } = await ensureAdministrator(node, credentials);
    for (const warning of warnings) log.warn({}, warning);
  } catch (error) {
    const { code, facts } = error as Partial<LatchkeyError>;
    if (code === 'password_refused') {
      const reasons = [facts?.reasons ?? []].flat().join(', ');
      const message = `is refused (${reasons}): choose another one`;
      throw new ConfigError([{ variable: 'ADMIN_PASSWORD', message }], { cause: error });
    }
    if (code === 'invalid_request') {
      const message = 'must be an e-mail address';
      throw new ConfigError([{ variable: 'ADMIN_EMAIL', message }], { cause: error });
    }
    throw error;
  }
}

/**
 * A user with this address exists when this resolves: if it was missing, with this password and the
 * roles of administrators and auditors; one that was there is left as it is, and the answer says
 * what does not fit. Of several nodes at once, one makes it. Raises `invalid_request`,
 * `password_refused`.
 */
export async function ensureAdministrator(
  node: Node,
  { email, password }: { readonly email: string; readonly password: string },
  by: By = byProgram('system', 'start-up'),
): Promise<EnsuredAdministrator> {
  const known = await findUserByEmail(node, email);
  if (known !== null) {
    return { created: false, warnings: await notApplied(node, known, password) };
  }
  try {
    await registerUser(
      node,
      {
        email,
        password,
        roles: [adminRole, auditorRole],
        emailVerified: true,
        userId: registrationId(by, null),
      },
      by,
    );
    return { created: true, warnings: [] };
  } catch (error) {
    if (error instanceof LatchkeyError && error.code === 'conflict') {
      return { created: false, warnings: [] };
    }
    throw error;
  }
}

async function notApplied(
  node: Node,
  { state, passwordHash }: UserForCommand,
  password: string,
): Promise<string[]> {
  const warnings: string[] = [];
  const check = await node.hasher.verify(passwordHash, password, {
    group: 'start-up',
  });
  if (!check.matches) {
    warnings.push(
      'ADMIN_PASSWORD is not the password of the user of ADMIN_EMAIL and was not applied: it is used once, when that user is made. Change the password with POST /auth/password, and take both variables away.',
    );
  }
  if (!state.roles.includes(adminRole) || state.status !== 'active') {
    warnings.push(
      `The user of ADMIN_EMAIL is not an administrator: the account is disabled or lacks the role ${adminRole}. Choose another ADMIN_EMAIL, or let an administrator change the user.`,
    );
  }
  return warnings;
}
