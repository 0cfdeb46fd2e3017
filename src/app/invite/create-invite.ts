import { randomBytes } from 'node:crypto';
import type { RequestContext } from '../../api/http/request-context.ts';
import { encodeInviteCode, hashInviteSecret } from '../../domain/invite/invite-code.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Services } from '../../node/services.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { changeInvite } from '../../tables/change.ts';
import { findInvite } from '../../tables/invite.ts';
import { metaOf } from '../actor.ts';
import { createdId } from '../idempotent-command.ts';

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
  services: Services,
  { expiresInSeconds, idempotencyKey }: CreateInviteInput,
  context: RequestContext,
): Promise<CreatedInvite> {
  const inviteId = createdId(context, 'create-invite', idempotencyKey);
  const secret = randomBytes(32);
  return services.handler.run(inviteId, async (): Promise<Attempt<CreatedInvite>> => {
    const existing = await findInvite(services.readers, inviteId);
    if (existing !== null) {
      const { createdAt, expiresAt } = existing.state;
      if (expiresAt - createdAt !== expiresInSeconds * 1000) {
        throw new LatchkeyError('conflict', {
          detail: 'Idempotency-Key was used for another invite',
        });
      }
      return { command: null, answer: () => ({ code: null, expiresAt }) };
    }
    const now = services.now();
    const expiresAt = now + expiresInSeconds * 1000;
    const change = changeInvite(inviteId, null, {
      type: 'CreateInvite',
      now,
      secretHash: hashInviteSecret(secret),
      expiresAt,
      createdBy: context.actor.id ?? 'anonymous',
    });
    return {
      command: {
        commandId: newId(),
        meta: metaOf(context),
        streams: [change.touch],
        rows: change.rows,
      },
      answer: () => ({ code: encodeInviteCode({ inviteId, secret }), expiresAt }),
    };
  });
}
