import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { adminRole, auditorRole } from '../../domain/user/roles.ts';
import type { EventMeta } from '../../eventlog/command.ts';
import { newId } from '../../platform/new-id.ts';
import { findUserByEmail } from '../queries/user-by-email.ts';
import type { RequestContext } from '../request-context.ts';
import type { Services } from '../services.ts';
import { registerUser } from './register-user.ts';

const startUp: EventMeta = { request_id: 'start-up', correlation_id: 'start-up', actor: null };

/** `ensureAdministrator` for ADMIN_EMAIL and ADMIN_PASSWORD; without both, nothing happens. */
export async function ensureConfiguredAdministrator(services: Services): Promise<void> {
  const { adminEmail: email, adminPassword: password } = services.config;
  if (email === undefined || password === undefined) return;
  await ensureAdministrator(services, { email, password });
}

/**
 * A user with this address exists when this resolves: if it was missing, with this password and the
 * roles of administrators and auditors; one that was there is left as it is. Answers whether it was
 * made. Of several nodes at once, one makes it. Raises `invalid_request`, `password_refused`.
 */
export async function ensureAdministrator(
  services: Services,
  { email, password }: { readonly email: string; readonly password: string },
  meta: EventMeta = startUp,
): Promise<{ created: boolean }> {
  if ((await findUserByEmail(services, email)) !== null) return { created: false };
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
    return { created: true };
  } catch (error) {
    if (error instanceof LatchkeyError && error.code === 'conflict') return { created: false };
    throw error;
  }
}
