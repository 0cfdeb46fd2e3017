import { doubtMessage, LogIdentityError } from './log-identity.ts';
import type { Queryable } from './queryable.ts';

/** Which transactions a moment of the database saw as ended; ids as Postgres prints them. */
export interface Snapshot {
  /** The first id that had not been given out. */
  readonly nextXact: string;
  /** Those below it that were still under way. */
  readonly open: readonly string[];
}

/** A reader that starts here reads every row. */
export const emptySnapshot: Snapshot = { nextXact: '0', open: [] };

/** The text of a pg_snapshot, `xmin:xmax:xip_list`. */
export function parseSnapshot(text: string): Snapshot {
  const [, nextXact, open] = text.split(':');
  if (nextXact === undefined) throw new Error(`not a snapshot: ${text}`);
  return { nextXact, open: open === undefined || open === '' ? [] : open.split(',') };
}

export interface Moment {
  readonly snapshot: Snapshot;
  /** Equal to the one before exactly when no transaction has written in between. */
  readonly text: string;
  /** The database's clock, epoch ms. */
  readonly at: number;
  /** Which server, since which start: a proxy between may hide that it has changed. */
  readonly server: string;
}

/**
 * Throws when the server is a standby or read-only: commits may reach it late or never. Throws
 * LogIdentityError once any process has found the log incomplete.
 */
export async function readMoment(client: Queryable): Promise<Moment> {
  const { rows } = await client.query({
    name: 'read-moment',
    text: `select pg_current_snapshot()::text as snapshot, clock_timestamp() as at,
      pg_is_in_recovery() as standby, current_setting('transaction_read_only') as read_only,
      (select d.detail from latchkey.log_doubts d, latchkey.log_meta m
        where d.log_epoch = m.log_epoch limit 1) as doubt,
      pg_postmaster_start_time()::text as server`,
  });
  const { snapshot, at, standby, read_only: readOnly, doubt, server } = rows[0]!;
  if (standby === true || readOnly === 'on') {
    throw new Error('the server is not a writable primary: what it shows could be old');
  }
  if (doubt !== null) throw new LogIdentityError(doubtMessage(doubt as string));
  const text = snapshot as string;
  return {
    text,
    snapshot: parseSnapshot(text),
    at: (at as Date).getTime(),
    server: server as string,
  };
}
