import { advisoryLocks } from '../platform/postgres/advisory-locks.ts';
import { safeInteger } from '../platform/postgres/safe-integer.ts';
import { highestPositionSql } from './highest-position.ts';
import { doubtMessage, LogIdentityError } from './log-identity.ts';
import type { Queryable } from './queryable.ts';

interface Unsettled {
  readonly ceiling: number;
  readonly holders: ReadonlySet<string>;
}

/**
 * Tells up to which position the log is settled: no append that could still commit at or below it
 * is under way. Every append holds a shared lock before it draws a position. So: read the sequence,
 * then the lock's holders; once those are gone, every position up to that ceiling is committed or
 * rolled back. Two autocommit statements: in one, the snapshot would be older than the view of
 * the locks. A new connection needs a new Fence: after a crash the sequence may have moved back,
 * and a ceiling from before it would settle positions that are yet to be drawn.
 */
export class Fence {
  readonly #client: Queryable;
  #unsettled: Unsettled[] = [];
  #settled = 0;
  #server: string | null = null;

  constructor(client: Queryable) {
    this.#client = client;
  }

  /**
   * The highest settled position known now. Rows up to it must be read by a later statement. Throws
   * when another server answers than at first (a proxy between may hide that it has changed), when
   * it is no writable primary, and LogIdentityError when the log was found incomplete.
   */
  async advance(): Promise<number> {
    const { rows: sequence } = await this.#client.query({
      name: 'fence-ceiling',
      text: `select ${highestPositionSql} as ceiling,
        pg_is_in_recovery() as standby, current_setting('transaction_read_only') as read_only,
        pg_postmaster_start_time()::text as server,
        (select d.detail from latchkey.log_doubts d, latchkey.log_meta m
          where d.log_epoch = m.log_epoch limit 1) as doubt`,
    });
    const { ceiling, standby, read_only: readOnly, server, doubt } = sequence[0]!;
    if (doubt !== null) throw new LogIdentityError(doubtMessage(doubt as string));
    this.#server ??= server as string;
    if (server !== this.#server) throw new Error('another server answers than before');
    if (standby === true || readOnly === 'on') {
      throw new Error('the server is not a writable primary: a tail of it could skip events');
    }
    // Nothing was drawn since everything drawn had settled: there is nothing to ask.
    if (this.#unsettled.length === 0 && safeInteger(ceiling) === this.#settled)
      return this.#settled;
    const { rows } = await this.#client.query({
      name: 'fence-holders',
      text: `select virtualtransaction from pg_locks
        where locktype = 'advisory' and classid = $1 and objid = $2 and objsubid = 2 and granted
          and database = (select oid from pg_database where datname = current_database())`,
      values: [advisoryLocks.class, advisoryLocks.append],
    });
    const holders = new Set(rows.map(({ virtualtransaction }) => virtualtransaction as string));
    this.#unsettled.push({ ceiling: safeInteger(ceiling), holders });
    this.#unsettled = this.#unsettled.filter((entry) => {
      for (const holder of entry.holders) if (holders.has(holder)) return true;
      this.#settled = Math.max(this.#settled, entry.ceiling);
      return false;
    });
    // A ceiling says nothing that a later one with the same holders does not: keep the list short
    // under a long append.
    if (this.#unsettled.length > 64) this.#unsettled.splice(32, this.#unsettled.length - 64);
    return this.#settled;
  }

  /** Whether an append is still under way that an earlier ceiling waits for. */
  get waiting(): boolean {
    return this.#unsettled.length > 0;
  }

  /** Ceilings that are not settled yet. */
  get pending(): number {
    return this.#unsettled.length;
  }
}

const settlePauseMs = 10;

/**
 * The highest settled position, after at most `waitMs`; 0 when an append stays under way for so
 * long. Then ask again later.
 */
export async function settledPosition(client: Queryable, waitMs: number): Promise<number> {
  const fence = new Fence(client);
  const deadline = performance.now() + waitMs;
  for (;;) {
    const settled = await fence.advance();
    if (settled > 0 || !fence.waiting || performance.now() > deadline) return settled;
    await new Promise((resolve) => setTimeout(resolve, settlePauseMs));
  }
}
