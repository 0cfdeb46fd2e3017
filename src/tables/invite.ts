import type { InviteState } from '../domain/invite/state.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { confidential, plain, time, timeOrNull } from './columns.ts';
import { StateTable } from './table.ts';

export interface InviteRecord {
  readonly inviteId: string;
  readonly version: number;
  readonly state: InviteState;
}

export const invites = new StateTable<InviteState>('invites', 'invite_id', {
  status: plain('status'),
  secretHash: confidential(plain('secret_hash')),
  createdBy: plain('created_by'),
  createdAt: time('created_at'),
  expiresAt: time('expires_at'),
  tries: plain('tries'),
  usedAt: timeOrNull('used_at'),
  usedBy: plain('used_by'),
});

/** Also one that was used or has expired; null when there is none. */
export async function findInvite(
  client: SealedReaders,
  inviteId: string,
): Promise<InviteRecord | null> {
  const { rows } = await client.query({
    name: 'find-invite',
    text: `select ${invites.select('i', 'st')} from latchkey.invites i
      join latchkey.streams st on st.stream_id = i.invite_id where i.invite_id = $1`,
    values: [inviteId],
  });
  const [row] = rows;
  if (row === undefined) return null;
  invites.require(client.seal, row);
  const { id, ...record } = invites.record(row);
  return { inviteId: id, ...record };
}
