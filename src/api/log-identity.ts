import type { Queryable } from '../eventlog/queryable.ts';
import { safeInteger } from '../eventlog/read.ts';

export interface LogIdentity {
  readonly logEpoch: string;
}

/** The database is not the one whose log this node knows; `message` says how and what to do. */
export class LogIdentityError extends Error {
  override readonly name = 'LogIdentityError';
}

const remedy =
  'Sessions that ended after the backup was taken could be live again. End every session and begin a new log epoch ' +
  'before serving from it (docs/architecture.md, "A restored database").';

/**
 * Reads the log's epoch and refuses a database that was restored elsewhere (another system
 * identifier) or that has lost commits (its head is behind a position that this node has seen).
 * Throws LogIdentityError.
 */
export async function readLogIdentity(
  client: Queryable,
  known: { readonly logEpoch: string | null; readonly cursor: number },
): Promise<LogIdentity> {
  const { rows } = await client.query({
    text: `select m.log_epoch, m.system_identifier = c.system_identifier as same_system,
      (select case when is_called then last_value else 0 end from latchkey.event_pos) as head
      from latchkey.log_meta m, pg_control_system() c`,
  });
  const { log_epoch: logEpoch, same_system: sameSystem, head } = rows[0]!;
  if (sameSystem !== true) {
    throw new LogIdentityError(
      `This log was written in another database cluster: it is a restored copy. ${remedy}`,
    );
  }
  if (known.logEpoch !== null && known.logEpoch !== logEpoch) {
    throw new LogIdentityError(
      `The log has a new epoch since this node started. Restart the node.`,
    );
  }
  if (safeInteger(head) < known.cursor) {
    throw new LogIdentityError(
      `The head of the log (${String(head)}) is behind position ${known.cursor}, which this node has seen. ${remedy}`,
    );
  }
  return { logEpoch: logEpoch as string };
}
