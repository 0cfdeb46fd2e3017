import { randomBytes } from 'node:crypto';
import { encodeInviteCode } from '../../domain/invite/invite-code.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { sha256 } from '../../domain/kernel/sha256.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { findInvite } from '../../tables/invite.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { createdId } from '../idempotent-command.ts';
import { changeInvite } from './change-invite.ts';

export interface CreateInviteInput {
  readonly expiresInSeconds: number;
  readonly idempotencyKey: string | null;
}

export interface CreatedInvite {
  /** Shown this once; null for a retry. */
  readonly code: string | null;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/**
 * Makes an invite for one registration. A retry under the same Idempotency-Key makes no other one
 * and shows no code. Raises `conflict` (the key was used for an invite of another life),
 * `unavailable`.
 */
export async function createInvite(
  node: Node,
  { expiresInSeconds, idempotencyKey }: CreateInviteInput,
  by: By,
): Promise<CreatedInvite> {
  const inviteId = createdId(by, 'create-invite', idempotencyKey);
  const secret = randomBytes(32);
  const { readers, handler } = node.cells.home;
  return handler.run(inviteId, async (): Promise<Attempt<CreatedInvite>> => {
    const existing = await findInvite(readers, inviteId);
    if (existing !== null) {
      const { createdAt, expiresAt } = existing.state;
      if (expiresAt - createdAt !== expiresInSeconds * 1000) {
        throw new LatchkeyError('conflict', {
          detail: 'Idempotency-Key was used for another invite',
        });
      }
      return unchanged(() => ({ code: null, expiresAt }));
    }
    const now = node.now();
    const expiresAt = now + expiresInSeconds * 1000;
    const change = changeInvite(inviteId, null, {
      type: 'CreateInvite',
      now,
      secretHash: sha256(secret),
      expiresAt,
      createdBy: by.actor.id ?? 'anonymous',
    });
    return append(by, [change], () => ({
      code: encodeInviteCode({ inviteId, secret }),
      expiresAt,
    }));
  });
}
