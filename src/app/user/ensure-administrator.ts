import type { RequestContext } from '../../api/http/request-context.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { adminRole, auditorRole } from '../../domain/user/roles.ts';
import type { EventMeta } from '../../eventlog/command.ts';
import type { Services } from '../../node/services.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import type { UserForCommand } from '../../tables/user.ts';
import { findUserByEmail } from './find-user-by-email.ts';
import { registerUser } from './register-user.ts';

const startUp: EventMeta = { request_id: 'start-up', correlation_id: 'start-up', actor: null };

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
  services: Services,
  credentials: { readonly email: string; readonly password: string },
  log: { warn(fields: object, message: string): void },
): Promise<void> {
  try {
    const { warnings } = await ensureAdministrator(services, credentials);
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
  services: Services,
  { email, password }: { readonly email: string; readonly password: string },
  meta: EventMeta = startUp,
): Promise<EnsuredAdministrator> {
  const known = await findUserByEmail(services, email);
  if (known !== null) {
    return { created: false, warnings: await notApplied(services, known, password) };
  }
  // No request caused this: registering looks at who acts, and at nothing else of a context.
  const context: Pick<RequestContext, 'actor' | 'clientAddress' | 'meta'> = {
    clientAddress: 'start-up',
    actor: { type: 'anonymous', id: meta.actor },
    meta: () => ({ ...meta, actor: { type: 'anonymous', id: meta.actor } }),
  };
  try {
    await registerUser(
      services,
      {
        email,
        password,
        roles: [adminRole, auditorRole],
        emailVerified: true,
        userId: newId(),
      },
      context as RequestContext,
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
  services: Services,
  { state, passwordHash }: UserForCommand,
  password: string,
): Promise<string[]> {
  const warnings: string[] = [];
  const check = await services.hasher.verify(passwordHash, password.normalize('NFC'), {
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
