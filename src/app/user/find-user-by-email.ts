import { parseEmail } from '../../domain/user/identifier.ts';
import type { Node } from '../../node/node.ts';
import { identifierMac } from '../../platform/crypto/identifier-index.ts';
import { findUserByIdentifier, type UserForCommand } from '../../tables/user.ts';

/**
 * The user whom any spelling of an address names; null for an unknown address and for a text that
 * is none.
 */
export async function findUserByEmail(
  node: Pick<Node, 'cells'> & {
    readonly secrets: Pick<Node['secrets'], 'identifierKey'>;
  },
  text: string,
): Promise<UserForCommand | null> {
  const email = parseEmail(text);
  if (email === null) return null;
  const mac = identifierMac(node.secrets.identifierKey, email.key);
  return findUserByIdentifier(node.cells.home.readers, mac);
}
