import { parseEmail } from '../../domain/user/identifier.ts';
import type { Services } from '../../node/services.ts';
import { identifierMac } from '../../platform/crypto/identifier-index.ts';
import { findUserByIdentifier, type UserForCommand } from '../../tables/user.ts';

/**
 * The user whom any spelling of an address names; null for an unknown address and for a text that
 * is none.
 */
export async function findUserByEmail(
  services: Pick<Services, 'readers'> & {
    readonly secrets: Pick<Services['secrets'], 'identifierKey'>;
  },
  text: string,
): Promise<UserForCommand | null> {
  const email = parseEmail(text);
  if (email === null) return null;
  const mac = identifierMac(services.secrets.identifierKey, email.key);
  return findUserByIdentifier(services.readers, mac);
}
