import type pg from 'pg';
import { streamKinds } from '../domain/kernel/event.ts';
import type { Row } from '../eventlog/command.ts';
import type { RecordSeal } from '../eventlog/record-seal.ts';
import { advisoryLocks } from '../platform/postgres/advisory-locks.ts';
import { connectOwnClient } from '../platform/postgres/own-client.ts';
import type { LoggedEvent } from '../tables/fold-logged.ts';
import { type Comparison, compare, differencesMax, projectedTables } from './compare.ts';
import { TableFiller } from './copy-in.ts';
import { CopyRowReader, copyOut, toUuid } from './copy-out.ts';
import { type KindFold, kindFolds, type StreamFold } from './fold.ts';
import { copySql, readEvent } from './log-copy.ts';
import { LogFaults } from './log-faults.ts';
import { type LookupKeys, lookupRows, type NamedUser } from './lookup-rows.ts';
import { deletePrunedSql, prunings } from './prune.ts';

export interface RebuildOptions {
  /** Any role that may read the projections. A direct connection, not a pooler. */
  readonly databaseUrl: string;
  readonly keys: LookupKeys & { readonly seal: RecordSeal };
  readonly log?: { info(fields: object, message: string): void };
}

/** Temporary tables: no role needs a schema to create in, and none finds what another one made. */
const scratchSchema = 'pg_temp';

export interface Rebuilt {
  readonly events: number;
  readonly seconds: number;
  /** The last position that was folded. */
  readonly ceiling: number;
  /**
   * Versions or positions of a stream that are not in order: of these, too, at most
   * `differencesMax` are named.
   */
  readonly faults: Comparison;
}

export interface RebuiltAndCompared extends Rebuilt, Comparison {
  readonly compareSeconds: number;
}

/**
 * Folds the log into scratch tables and names every difference to the live rows. Appends may go on:
 * both are read in one snapshot, and an append writes its events and its rows in one transaction.
 * Throws UnreadableEventError.
 */
export function rebuildAndCompare(options: RebuildOptions): Promise<RebuiltAndCompared> {
  return rebuild(options, async (client, { schema, ...rebuilt }) => {
    const startedAt = performance.now();
    const { count, differences } = await compare(client, schema);
    return {
      ...rebuilt,
      count: rebuilt.faults.count + count,
      differences: [...rebuilt.faults.differences, ...differences].slice(0, differencesMax),
      compareSeconds: (performance.now() - startedAt) / 1000,
    };
  });
}

/**
 * Folds the log into temporary tables and lets `inspect` look, on a client whose snapshot holds
 * exactly the events that were folded. Everything is rolled back afterwards: a copy of personal
 * data that stayed would outlive an erasure.
 */
export async function rebuild<T>(
  options: RebuildOptions,
  inspect: (client: pg.ClientBase, rebuilt: Rebuilt & { schema: string }) => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  const own = { url: options.databaseUrl, applicationName: 'latchkey rebuild' };
  await using opened = new AsyncDisposableStack();
  const open = async () => opened.adopt(await connectOwnClient(own), (client) => client.end());
  const reader = await open();
  const scratch = await open();
  await shareSnapshot(reader, scratch);
  const run = new Run(reader, scratch, scratchSchema, options.keys);
  await run.prepare();
  for (const kind of kindFolds) {
    const events = await run.fold(kind);
    options.log?.info({ kind: kind.kind, events }, 'folded');
  }
  await run.finish();
  const seconds = (performance.now() - startedAt) / 1000;
  return await inspect(scratch, { ...run.result, seconds, schema: scratchSchema });
}

/** Both transactions see the same commits. Neither is ever committed. */
async function shareSnapshot(reader: pg.Client, scratch: pg.Client): Promise<void> {
  await reader.query('begin isolation level repeatable read read only');
  const { rows } = await reader.query('select pg_export_snapshot() as id');
  await scratch.query('begin isolation level repeatable read');
  await scratch.query(`set transaction snapshot ${scratch.escapeLiteral(rows[0].id)}`);
  for (const client of [reader, scratch]) {
    await client.query(`set local statement_timeout = 0;
      set local idle_in_transaction_session_timeout = 0;
      set local jit = off;
      set local search_path = pg_catalog, pg_temp;
      set local temp_buffers = '64MB';
      set local work_mem = '64MB'`);
  }
  const { rows: lock } = await scratch.query(
    'select pg_try_advisory_xact_lock($1::integer, $2::integer) as free',
    [advisoryLocks.class, advisoryLocks.rebuild],
  );
  if (lock[0].free !== true) throw new Error('another rebuild is under way in this database');
}

/** The stream whose events are arriving; `version` and `pos` are those of its last one. */
interface CurrentStream {
  readonly raw: string;
  readonly fold: StreamFold;
  readonly wrapped: string | null;
  version: number;
  pos: number;
  /** An event that this service did not write: nothing that the stream says is believed. */
  forged: boolean;
}

class Run {
  readonly #reader: pg.Client;
  readonly #scratch: pg.Client;
  readonly #schema: string;
  readonly #keys: RebuildOptions['keys'];
  readonly #fillers = new Map<string, TableFiller>();
  readonly #named: NamedUser[] = [];
  readonly #faults = new LogFaults();
  #events = 0;
  #ceiling = 0;

  constructor(reader: pg.Client, scratch: pg.Client, schema: string, keys: RebuildOptions['keys']) {
    this.#reader = reader;
    this.#scratch = scratch;
    this.#schema = schema;
    this.#keys = keys;
  }

  get result() {
    return {
      events: this.#events,
      ceiling: this.#ceiling,
      faults: this.#faults.found,
    };
  }

  async prepare(): Promise<void> {
    const { rows } = await this.#reader.query(
      'select kind, pos from latchkey.events where kind <> all ($1) limit 1',
      [Object.values(streamKinds)],
    );
    if (rows[0] !== undefined) {
      throw new Error(`event ${rows[0].pos} is of the unknown stream kind ${rows[0].kind}`);
    }
    for (const table of projectedTables) {
      const name = `${this.#schema}.${table}`;
      await this.#scratch.query(
        `create temporary table ${table} (like latchkey.${table}
          including defaults including generated)`,
      );
      const { rows: json } = await this.#scratch.query(
        `select attname from pg_attribute where attrelid = $1::regclass and atttypid = 'jsonb'::regtype`,
        [name],
      );
      const jsonColumns = new Set(json.map(({ attname }) => attname as string));
      this.#fillers.set(table, new TableFiller(this.#scratch, name, jsonColumns));
    }
  }

  /** In stream order, so that one stream's state is all that is held. */
  async fold(kind: KindFold): Promise<number> {
    const row = new CopyRowReader();
    let current: CurrentStream | null = null;
    let events = 0;
    const fold = (bytes: Buffer) => {
      if (!row.begin(bytes)) return;
      const raw = row.uuidBytes();
      const { subjectId, meta, ...event } = readEvent(row);
      if (current === null || current.raw !== raw) {
        if (current !== null) this.#complete(kind, current);
        const wrapped = row.textOrNull();
        current = {
          raw,
          fold: kind.begin(toUuid(raw)),
          version: 0,
          pos: 0,
          wrapped,
          forged: false,
        };
      }
      this.#checkOrder(current, event);
      const { streamId } = current.fold;
      const sealed = { kind: streamKinds[kind.kind], streamId, subjectId, meta, ...event };
      if (!this.#keys.seal.isGenuine(sealed)) this.#noteForged(current, event);
      if (current.forged) return;
      const revocation = current.fold.apply(event);
      if (revocation !== null) this.#filler('revocations').add(revocation);
      events += 1;
    };
    const sql = copySql(streamKinds[kind.kind]);
    await copyOut(this.#reader, sql, { row: fold, settle: () => this.#settle() });
    if (current !== null) this.#complete(kind, current);
    await this.#settle();
    this.#events += events;
    return events;
  }

  #complete(kind: KindFold, { fold, wrapped, forged }: CurrentStream): void {
    if (forged) return;
    const row = fold.row();
    this.#add(kind.table, row);
    if (kind.table !== 'users' || wrapped === null || row.pii === null) return;
    // A subject whose key was deleted has none: nobody can tell the address any more.
    const pii = Buffer.from((row.pii as string).slice(2), 'hex');
    this.#named.push({ userId: fold.streamId, pii, wrapped });
  }

  #settle(): Promise<void> | null {
    const waits = [...this.#fillers.values()].map((filler) => filler.settle());
    if (this.#named.length > 0) waits.push(this.#addLookups());
    const pending = waits.filter((wait) => wait !== null);
    return pending.length === 0 ? null : Promise.all(pending).then(() => {});
  }

  async #addLookups(): Promise<void> {
    const pending = this.#named.splice(0);
    const rows = await Promise.all(pending.map((user) => lookupRows(this.#keys, user)));
    for (const [table, row] of rows.flat()) this.#add(table, row);
  }

  #add(table: string, row: Row): void {
    this.#filler(table).add({ ...row, mac: this.#keys.seal.row(table, row) });
  }

  #filler(table: string): TableFiller {
    const filler = this.#fillers.get(table);
    if (filler === undefined) throw new Error(`a rebuild does not fill ${table}`);
    return filler;
  }

  #checkOrder(stream: CurrentStream, { version, pos }: LoggedEvent): void {
    const [lastVersion, lastPos] = [stream.version, stream.pos];
    stream.version = version;
    stream.pos = pos;
    if (pos > this.#ceiling) this.#ceiling = pos;
    if (version === lastVersion + 1 && pos > lastPos) return;
    this.#faults.add(stream.fold.streamId, {
      column: 'version',
      live: `${version} at pos ${pos}`,
      rebuilt: `${lastVersion + 1} after pos ${lastPos}`,
    });
  }

  #noteForged(stream: CurrentStream, { pos, type }: LoggedEvent): void {
    stream.forged = true;
    this.#faults.add(stream.fold.streamId, {
      column: 'meta',
      live: `${type} at pos ${pos}`,
      rebuilt: 'not written by this service: no row is made of this stream',
    });
  }

  async finish(): Promise<void> {
    for (const filler of this.#fillers.values()) await filler.end();
    for (const pruning of prunings) {
      await this.#scratch.query(deletePrunedSql(this.#schema, pruning));
    }
    for (const table of projectedTables)
      await this.#scratch.query(`analyze ${this.#schema}.${table}`);
  }
}
