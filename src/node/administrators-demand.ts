import type { AuthenticationDemand } from '../domain/kernel/authentication-demand.ts';
import type { Config } from './config.ts';

/** What every right of an administrator demands of the user's authentication. */
export function administratorsDemand({
  administrator,
}: Pick<Config, 'administrator'>): AuthenticationDemand {
  const { secondFactor, authenticationSeconds } = administrator;
  return secondFactor ? { acr: '2fa', maxAgeSeconds: authenticationSeconds } : {};
}
