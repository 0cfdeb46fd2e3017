import type { Acknowledgements } from './acknowledgements.ts';
import { withClient } from './postgres.ts';

interface StoredSession {
  readonly session_id: string;
  readonly generation: number;
  readonly status: string;
  readonly end_reason: string | null;
}

/** Each breach of "answered means durable", or of "nobody is logged out falsely", in words. */
export async function breaches(
  ownerUrl: string,
  acknowledgements: Acknowledgements,
): Promise<string[]> {
  const { rows } = await withClient(ownerUrl, (client) =>
    client.query<StoredSession>(
      'select session_id, generation, status, end_reason from latchkey.sessions',
    ),
  );
  const stored = new Map(rows.map((row) => [row.session_id, row]));
  const found: string[] = [];
  for (const record of acknowledgements.sessions.values()) {
    const row = stored.get(record.sessionId);
    if (row === undefined) found.push(`login of ${record.sessionId} is lost`);
    else if (row.generation < record.generation) {
      found.push(`${record.sessionId}: generation ${row.generation} < ${record.generation}`);
    } else if (record.logoutAcknowledged && row.status === 'live') {
      found.push(`logout of ${record.sessionId} is lost`);
    } else if (row.status !== 'live' && !record.logoutSent && !record.maybeSuperseded) {
      found.push(`${record.sessionId} ended without a cause: ${row.end_reason}`);
    }
  }
  return found;
}
