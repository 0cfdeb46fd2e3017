import { derivedId, derivedSlot } from '../../domain/kernel/ids.ts';
import { identifierKey } from '../../domain/user/identifier.ts';
import { type MailPurpose, openProof } from '../../domain/user/mail-proofs.ts';
import type { Node } from '../../node/node.ts';
import { identifierMac } from '../../platform/crypto/identifier-index.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import type { OtpRequestNamed } from '../../platform/crypto/otp-handle.ts';
import { findUser, findUserByIdentifier } from '../../tables/user.ts';
import { append, unchanged } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { changeUser } from './change-user.ts';

export interface MailProofRequest {
  /** Any text. One that is no address is an unknown one. */
  readonly email: string;
  readonly purpose: Exclude<MailPurpose, 'email_change'>;
}

/**
 * Asks for a code or a link to the stored address of the user whom `email` names. What it answers
 * names the open request, and for an unknown address a request that nobody made: the same user each
 * time, so that limits count alike. Reads the same for both; an unknown address writes nothing.
 * Raises `unavailable`.
 */
export async function requestMailProof(
  node: Node,
  { email, purpose }: MailProofRequest,
  by: By,
): Promise<OtpRequestNamed> {
  const mac = identifierMac(node.secrets.identifierKey, identifierKey(email));
  const known = await node.loginLookups.run(turnOf(by), () =>
    findUserByIdentifier(node.cells.home.readers, mac),
  );
  const userId = known?.userId ?? nobodysId(mac);
  const { readers, handler } = node.cells.of(userId);
  return handler.run<OtpRequestNamed>(userId, async () => {
    const now = node.now();
    const user = await findUser(readers, userId);
    const requestId = newId();
    if (user === null) {
      node.metrics.mailProofs.inc({ purpose, outcome: 'unknown' });
      return unchanged(() => ({ userId, requestId }));
    }
    const command = { type: 'RequestMailProof', now, purpose, requestId } as const;
    const change = changeUser(userId, user, command);
    const open = openProof(change.state.mailProofs, purpose, now);
    return append(by, [change], () => {
      const outcome = change.events.length > 0 ? 'requested' : 'withheld';
      node.metrics.mailProofs.inc({ purpose, outcome });
      return { userId, requestId: open?.requestId ?? requestId };
    });
  });
}

function nobodysId(mac: Buffer): string {
  const parts = ['nobody', mac.toString('hex')];
  return derivedId(derivedSlot(...parts), ...parts);
}
