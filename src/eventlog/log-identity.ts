import { safeInteger } from '../platform/postgres/safe-integer.ts';
import { highestPositionSql } from './highest-position.ts';
import type { Queryable } from './queryable.ts';

/** The database is not the one whose log this node knows; `message` says how and what to do. */
export class LogIdentityError extends Error {
  override readonly name = 'LogIdentityError';
}

/** What a position belongs to: the log, which is one for ever, and its epoch. */
export interface LogName {
  readonly logId: string;
  readonly logEpoch: string;
}

export const restoredRemedy =
  'Sessions that have ended could be live again. End every session and begin a new log epoch ' +
  'before serving from it (docs/operations.md, "Backup and restore").';

const copiedRemedy =
  'If it is the same log after pg_upgrade or a planned move, adopt it with `latchkey log adopt`; ' +
  `if it is a backup, ${restoredRemedy[0]!.toLowerCase()}${restoredRemedy.slice(1)}`;

/**
 * Reads which log this is. Refuses one that was written elsewhere (another cluster, another
 * database, tables made anew by a restored dump), one that is not `known.log` in its epoch (null:
 * any), one whose sequence is behind `seenPos`, and one that another node has found incomplete.
 * Throws LogIdentityError.
 */
export async function readLogIdentity(
  client: Queryable,
  known: { readonly log: LogName | null; readonly seenPos: number },
): Promise<LogName> {
  const { rows } = await client.query({
    text: `select m.log_id, m.log_epoch, m.system_identifier = p.system_identifier as same_cluster,
        m.database_oid = p.database_oid as same_database,
        m.events_oid = p.events_oid as same_tables,
        ${highestPositionSql} as head,
        (select d.detail from latchkey.log_doubts d
          where d.log_epoch = m.log_epoch limit 1) as doubt
      from latchkey.log_meta m, latchkey.log_place() p`,
  });
  if (rows.length === 0) throw new LogIdentityError('latchkey.log_meta is empty: this is no log.');
  const { log_id: logId, log_epoch: logEpoch, head, doubt, ...same } = rows[0]!;
  const refuse = (message: string) => {
    throw new LogIdentityError(message);
  };
  if (same.same_cluster !== true) {
    refuse(`This log was written in another database cluster: it is a copy. ${copiedRemedy}`);
  }
  if (same.same_database !== true) {
    refuse(
      `This log was written in another database of this cluster: it is a copy. ${copiedRemedy}`,
    );
  }
  if (same.same_tables !== true) {
    refuse(`The tables of this log were made anew: it is a restored dump. ${copiedRemedy}`);
  }
  if (known.log !== null && known.log.logId !== logId) {
    refuse('This is another log than the one that this process has started with.');
  }
  if (known.log !== null && known.log.logEpoch !== logEpoch) {
    refuse('The log has a new epoch since this process started. Restart the process.');
  }
  if (safeInteger(head) < known.seenPos) {
    refuse(
      `The head of the log (${String(head)}) is behind position ${known.seenPos}, ` +
        `which this process has seen. ${restoredRemedy}`,
    );
  }
  if (doubt !== null) refuse(doubtMessage(doubt as string));
  return { logId: logId as string, logEpoch: logEpoch as string };
}

/** What a process says that learns of the loss from another one. */
export function doubtMessage(detail: string): string {
  return `A process of this installation has found the log incomplete: ${detail}. ${restoredRemedy}`;
}
