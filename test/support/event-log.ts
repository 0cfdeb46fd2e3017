import pg from 'pg';
import { Writer } from '../../src/eventlog/writer.ts';
import type { WriterOptions } from '../../src/eventlog/writer-options.ts';
import { createPools, type Pools } from '../../src/platform/postgres/pool.ts';
import { silentLogger } from './cluster.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { testSeal } from './seal.ts';

/** A log as the service runs it: the application's role, two lanes, readers of their own. */
export interface TestLog {
  readonly database: TestDatabase;
  readonly pools: Pools;
  readonly writer: Writer;
  /** The owner's connection, for arranging and inspecting. */
  readonly owner: pg.Client;
  /** Another writer, as of another process. */
  anotherWriter(options?: Partial<WriterOptions>): Writer;
  close(): Promise<void>;
}

export async function openTestLog(): Promise<TestLog> {
  const database = await createTestDatabase();
  const opened: Pools[] = [];
  const open = () => {
    const pools = createPools({
      databaseUrl: database.appUrl,
      readers: 2,
      applicationName: 'test',
      logger: silentLogger,
    });
    opened.push(pools);
    return pools;
  };
  const writerOf = (pools: Pools, options: Partial<WriterOptions> = {}) =>
    new Writer({
      lanes: [pools.writers, pools.writers],
      readers: pools.readers,
      seal: testSeal,
      ...options,
    });
  const pools = open();
  const owner = new pg.Client({ connectionString: database.ownerUrl });
  await owner.connect();
  return {
    database,
    pools,
    writer: writerOf(pools),
    owner,
    anotherWriter: (options) => writerOf(open(), options),
    close: async () => {
      await Promise.all(opened.map((each) => each.end()));
      await owner.end();
      await database.drop();
    },
  };
}

/** Runs `work` while another transaction holds these streams, as a slow append elsewhere would. */
export async function whileHeld<T>(
  log: TestLog,
  streamIds: readonly string[],
  work: (release: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const holder = new pg.Client({ connectionString: log.database.ownerUrl });
  await holder.connect();
  let released: Promise<unknown> | undefined;
  const release = async () => {
    released ??= holder.query('commit');
    await released;
  };
  try {
    await holder.query('begin');
    await holder.query(
      'select 1 from latchkey.streams where stream_id = any ($1) order by stream_id for update',
      [streamIds],
    );
    return await work(release);
  } finally {
    await release();
    await holder.end();
  }
}
