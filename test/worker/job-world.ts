import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import path from 'node:path';
import type { DeviceType } from '@latchkey/contract/device-type';
import pg from 'pg';
import { byProgram } from '../../src/app/by.ts';
import { changeSession } from '../../src/app/session/change-session.ts';
import type { SessionCommand } from '../../src/domain/session/decide.ts';
import { lifetimesFor } from '../../src/domain/session/lifetimes.ts';
import { CommandHandler } from '../../src/eventlog/handle.ts';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import { readStream } from '../../src/eventlog/read.ts';
import { RecordSeal, type SealedReaders, sealedReaders } from '../../src/eventlog/record-seal.ts';
import { Writer } from '../../src/eventlog/writer.ts';
import { oneCell } from '../../src/node/cell.ts';
import { ErasureLog } from '../../src/node/erasure-log.ts';
import { loadServerSecrets } from '../../src/node/server-secrets.ts';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { createPools } from '../../src/platform/postgres/pool.ts';
import { findSession } from '../../src/tables/session.ts';
import type { JobContext } from '../../src/worker/job.ts';
import { installJobSchema } from '../../src/worker/job-schema.ts';
import { workerMetrics } from '../../src/worker/metrics.ts';
import { aFile } from '../support/a-file.ts';
import { silentLogger } from '../support/cluster.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../support/postgres.ts';
import { testMeta } from '../support/session-commands.ts';

/** What jobs are configured with when a test asks for nothing else. */
export const jobConfig: JobContext['config'] = {
  sessions: { idleSeconds: 0, retentionSeconds: 30 * 86_400 },
  lifetimes: {},
  verification: { clockSkewSeconds: 5 },
  keyset: {
    algorithm: 'ES256',
    rotationSeconds: 30 * 86_400,
    announceSeconds: 5 * 86_400,
    keysMax: 5,
  },
  worker: { partitionPositions: 20_000_000 },
  erasure: { log: aFile('erasures.log') },
};

/** The key-encryption key of every job world. */
export const testKeyWrap = localKeyWrap([{ id: 'test', key: randomBytes(32) }]);

export const minuteMs = 60_000;
export const dayMs = 86_400_000;

/** A migrated database with the job tables, with connections as application role and owner. */
export async function createJobWorld() {
  const database = await createTestDatabase();
  await withClient(database.ownerUrl, (client) => installJobSchema(client, 'latchkey_app'));
  const pools = createPools({
    databaseUrl: database.appUrl,
    readers: 4,
    applicationName: 'test',
    logger: silentLogger,
  });
  const { recordSealKey } = await loadServerSecrets(pools.readers, testKeyWrap);
  const seal = new RecordSeal(recordSealKey);
  const writer = new Writer({
    lanes: [pools.writers, pools.writers],
    readers: pools.readers,
    seal,
  });
  const owner = new pg.Client({ connectionString: database.ownerUrl });
  await owner.connect();
  return new JobWorld({ database, pools, writer, owner, seal });
}

export class JobWorld {
  readonly database: TestDatabase;
  readonly pools: ReturnType<typeof createPools>;
  readonly records: SealedReaders;
  readonly writer: Writer;
  readonly owner: pg.Client;
  readonly erasureFile = aFile('erasures.log');
  readonly erasures = new ErasureLog(this.erasureFile, { logId: 'log', logEpoch: 'epoch' });

  constructor(parts: {
    database: TestDatabase;
    pools: ReturnType<typeof createPools>;
    writer: Writer;
    owner: pg.Client;
    seal: RecordSeal;
  }) {
    this.database = parts.database;
    this.pools = parts.pools;
    this.records = sealedReaders(parts.pools.readers, parts.seal);
    this.writer = parts.writer;
    this.owner = parts.owner;
  }

  /** What a run would get at that time (epoch ms). */
  context(now: number, change: Partial<JobContext> = {}): JobContext {
    return {
      config: jobConfig,
      pool: this.pools.readers,
      keyWrap: testKeyWrap,
      erasures: this.erasures,
      readers: this.records,
      cells: oneCell({
        logId: 'the log of this world',
        readers: this.records,
        handler: new CommandHandler(this.writer, { confirm: async () => {} }),
      }),
      metrics: workerMetrics(),
      log: silentLogger,
      now: () => now,
      by: byProgram('worker', 'worker', 'run'),
      signal: new AbortController().signal,
      ...change,
    };
  }

  /** Reads of another connection, under the seal of this world. */
  sealed(client: Queryable): SealedReaders {
    return sealedReaders(client, this.records.seal);
  }

  async startSession(at: number, deviceType: DeviceType = 'web'): Promise<string> {
    const sessionId = newId();
    await this.changeSession(sessionId, {
      type: 'StartSession',
      now: at,
      userId: newId(),
      clientId: null,
      deviceType,
      amr: ['pwd'],
      audience: ['api'],
      scope: '',
      transport: 'body',
      lifetimes: lifetimesFor(deviceType),
      secretHash: 'hash-1',
      salt: 'salt-1',
      pii: new Uint8Array([1]),
    });
    return sessionId;
  }

  async changeSession(sessionId: string, command: SessionCommand): Promise<void> {
    // Many start at once in some tests: one that is new need not be looked for.
    const isNew = command.type === 'StartSession';
    const current = isNew ? null : await findSession(this.records, sessionId);
    const change = changeSession(sessionId, current, command);
    await this.writer.append({
      commandId: newId(),
      meta: testMeta,
      streams: [change.touch],
      rows: change.rows,
    });
  }

  refreshSession(sessionId: string, generation: number, now: number): Promise<void> {
    return this.changeSession(sessionId, {
      type: 'RefreshSession',
      now,
      presented: { generation, secretHash: `hash-${generation}` },
      successor: { secretHash: `hash-${generation + 1}` },
      newSalt: `salt-${generation + 1}`,
      idempotencyKeyHash: null,
      accessTokenTtlSeconds: 900,
      graceSeconds: 30,
      keyProven: false,
      idleSeconds: 0,
      pii: new Uint8Array([1]),
      moved: false,
    });
  }

  async eventTypes(streamId: string): Promise<string[]> {
    const events = await readStream(this.pools.readers, streamId);
    return events.map(({ type }) => type);
  }

  async close(): Promise<void> {
    await this.pools.end();
    await this.owner.end();
    await this.database.drop();
    rmSync(path.dirname(this.erasureFile), { recursive: true, force: true });
  }
}
