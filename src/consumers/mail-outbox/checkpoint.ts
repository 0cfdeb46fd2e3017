import { highestPosition } from '../../eventlog/highest-position.ts';
import type { LogName } from '../../eventlog/log-identity.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import { safeInteger } from '../../platform/postgres/safe-integer.ts';

const consumer = 'mail.outbox';

/** Another worker has moved it: nothing of what was to be written with it is. */
export class CheckpointMovedError extends Error {
  override readonly name = 'CheckpointMovedError';
}

/** Null before the first start, and in a log that has begun a new epoch since. */
export async function readCheckpoint(
  client: Queryable,
  { logId, logEpoch }: LogName,
): Promise<number | null> {
  const { rows } = await client.query({
    name: 'mail-outbox-checkpoint',
    text: `select pos from latchkey.checkpoints
      where consumer = $1 and log_id = $2 and log_epoch = $3`,
    values: [consumer, logId, logEpoch],
  });
  return rows[0] === undefined ? null : safeInteger(rows[0].pos);
}

/**
 * The checkpoint; in a log that was never followed it is made, at the head, unless another worker
 * makes it first.
 */
export async function openCheckpoint(
  client: Queryable,
  logName: LogName,
  log: { info(fields: object, message: string): void },
): Promise<number> {
  const known = await readCheckpoint(client, logName);
  if (known !== null) return known;
  const head = await highestPosition(client);
  await beginCheckpoint(client, logName, head);
  log.info({ pos: head }, 'mails are sent for what happens from now on');
  return (await readCheckpoint(client, logName))!;
}

/** Begins at `pos`, unless another worker has begun. */
async function beginCheckpoint(
  client: Queryable,
  { logId, logEpoch }: LogName,
  pos: number,
): Promise<void> {
  await client.query({
    text: `insert into latchkey.checkpoints as c (consumer, log_id, log_epoch, pos, updated_at)
      values ($1, $2, $3, $4, clock_timestamp())
      on conflict (consumer, log_id) do update
        set log_epoch = excluded.log_epoch, pos = excluded.pos, updated_at = excluded.updated_at
        where c.log_epoch <> excluded.log_epoch`,
    values: [consumer, logId, logEpoch, pos],
  });
}

/** Throws CheckpointMovedError where it is not at `from` any more. */
export async function moveCheckpoint(
  client: Queryable,
  { logId, logEpoch }: LogName,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<void> {
  const { rowCount } = await client.query({
    name: 'mail-outbox-advance',
    text: `update latchkey.checkpoints set pos = $5, updated_at = clock_timestamp()
      where consumer = $1 and log_id = $2 and log_epoch = $3 and pos = $4`,
    values: [consumer, logId, logEpoch, from, to],
  });
  if (rowCount !== 1) throw new CheckpointMovedError();
}
