import type { InviteState } from '../domain/invite/state.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { fromTimestamp, fromTimestampOrNull, toTimestamp, toTimestampOrNull } from './columns.ts';
import { SealedTable } from './sealed-table.ts';

export interface InviteRecord {
  readonly inviteId: string;
  readonly version: number;
  readonly state: InviteState;
}

/** The row is the folded state; `findInvite` reads it back. */
export function inviteRow(inviteId: string, version: number, state: InviteState) {
  return {
    invite_id: inviteId,
    version,
    status: state.status,
    secret_hash: state.secretHash,
    created_by: state.createdBy,
    created_at: toTimestamp(state.createdAt),
    expires_at: toTimestamp(state.expiresAt),
    tries: state.tries,
    used_at: toTimestampOrNull(state.usedAt),
    used_by: state.usedBy,
  };
}

const table = new SealedTable('invites', [
  'invite_id',
  'version',
  'status',
  'secret_hash',
  'created_by',
  'created_at',
  'expires_at',
  'tries',
  'used_at',
  'used_by',
]);

/** Also one that was used or has expired; null when there is none. */
export async function findInvite(
  client: SealedReaders,
  inviteId: string,
): Promise<InviteRecord | null> {
  const { rows } = await client.query({
    name: 'find-invite',
    text: `select ${table.select('i', 'st')} from latchkey.invites i
      join latchkey.streams st on st.stream_id = i.invite_id where i.invite_id = $1`,
    values: [inviteId],
  });
  const row = rows[0];
  if (row === undefined) return null;
  table.require(client.seal, row);
  return {
    inviteId: row.invite_id as string,
    version: row.version as number,
    state: {
      status: row.status as InviteState['status'],
      secretHash: row.secret_hash as string,
      createdBy: row.created_by as string,
      createdAt: fromTimestamp(row.created_at),
      expiresAt: fromTimestamp(row.expires_at),
      tries: row.tries as number,
      usedAt: fromTimestampOrNull(row.used_at),
      usedBy: row.used_by as string | null,
    },
  };
}
