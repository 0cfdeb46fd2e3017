import { type Job as BossJob, PgBoss } from 'pg-boss';
import type { Registry } from 'prom-client';
import { byProgram } from '../app/by.ts';
import { startRedisModel } from '../consumers/redis-model/start.ts';
import { LogGuard } from '../eventlog/log-guard.ts';
import { appendCounts } from '../eventlog/metrics.ts';
import { openLog } from '../eventlog/open-log.ts';
import { RecordSeal, sealedReaders } from '../eventlog/record-seal.ts';
import { refusedRowReport } from '../eventlog/refused-rows.ts';
import type { DatabaseDemands } from '../eventlog/start-up-checks.ts';
import { oneCell } from '../node/cell.ts';
import { ErasureLog } from '../node/erasure-log.ts';
import { openPrivateKeys, requireKeks } from '../node/private-keys.ts';
import { type NodeRedis, openRedis } from '../node/redis.ts';
import { loadServerSecrets, type ServerSecrets } from '../node/server-secrets.ts';
import { requireSoundDatabase } from '../node/sound-database.ts';
import type { KeyWrap } from '../platform/crypto/key-wrap.ts';
import { newId } from '../platform/crypto/new-id.ts';
import type { SendMail } from '../platform/mail/message.ts';
import type { Readiness } from '../platform/metrics/operator-server.ts';
import { createPools, type Pools, writerConnections } from '../platform/postgres/pool.ts';
import { untilAnswered, whileUnavailable } from '../platform/postgres/while-unavailable.ts';
import { findIssuerKeyset } from '../tables/keyset.ts';
import { observeBacklog } from './backlog.ts';
import type { Job, JobContext, JobLogger } from './job.ts';
import { deadLetterQueue, jobSchemaName } from './job-schema.ts';
import { allJobs } from './jobs/all.ts';
import { retiredJobs } from './jobs/retired.ts';
import { tickKeys } from './jobs/tick-keys.ts';
import { type Loop, startLoop } from './loop.ts';
import { type MailConfig, type MailDelivery, startMail } from './mail/start.ts';
import { type WorkerMetrics, workerMetrics } from './metrics.ts';
import { perform } from './perform.ts';
import { workerReadiness } from './readiness.ts';

export interface WorkerOptions {
  readonly config: JobContext['config'];
  /** As the application role. */
  readonly databaseUrl: string;
  /** Reaches Postgres itself where `databaseUrl` leads to a pooler; default: `databaseUrl`. */
  readonly directUrl?: string;
  readonly redisUrl?: string;
  /** Without it no mail is sent. */
  readonly mail?: MailConfig;
  /** Takes the mails where `mail` names no server. */
  readonly mailbox?: SendMail;
  readonly keyWrap: KeyWrap;
  readonly log: JobLogger;
  /** In dev one role may migrate and serve. */
  readonly ownerAllowed?: boolean;
  /** Default: a registry of its own. */
  readonly registry?: Registry;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  /** How often each queue is looked at; at least 0.5. */
  readonly pollSeconds?: number;
}

export interface Worker {
  readonly metrics: WorkerMetrics;
  /** Whether it can do its jobs; else what is failing. */
  readiness(): Promise<Readiness>;
  /** Takes no more jobs, lets those under way end at their next batch, closes everything. */
  stop(): Promise<void>;
}

/** pg-boss' own: one job per due schedule passes through it. */
const schedulerQueue = '__pgboss__send-it';

const drainMs = 20_000;
const daySeconds = 86_400;
const connections = { jobs: 3, readers: 3 } as const;
const connectionsMax = connections.jobs + connections.readers + writerConnections;
/** The tail of each consumer of the log: the read model in Redis, the mail outbox. */
const consumerConnections = 1;

/** The settings of every queue; `exclusive`: one job waits or runs, on whichever worker. */
const queueSettings = {
  retryLimit: 3,
  retryDelay: 5,
  retryBackoff: true,
  retryDelayMax: 60,
  // A worker that died is noticed by its silence, a job that hangs by its age.
  heartbeatSeconds: 30,
  expireInSeconds: 3_600,
  retentionSeconds: daySeconds,
  deleteAfterSeconds: 300,
} as const;

/**
 * Starts the jobs, on schedule and once now. Any number of workers may run: each due job runs on
 * one of them. The database must have been migrated; this process changes rows, never the schema.
 * Throws UnsafeDatabaseError, LogIdentityError, KeyWrapError.
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { log } = options;
  const metrics = workerMetrics(options.registry);
  const guard = new LogGuard((error) =>
    log.error({ err: error }, 'the log is refused: no job runs'),
  );
  const pools = openPools(options, guard);
  const stopping = new AbortController();
  const boss = createBoss(options);
  let loops: ReturnType<typeof startLoop>[] = [];
  let redis: NodeRedis | null = null;
  let model: ReturnType<typeof startRedisModel> | null = null;
  let mail: MailDelivery | null = null;
  const stop = async () => {
    stopping.abort();
    await Promise.all([...loops.map((loop) => loop.stop()), model?.stop(), mail?.stop()]);
    redis?.close();
    await boss.stop({ graceful: true, timeout: drainMs });
    mail?.close();
    await pools.end();
  };
  try {
    await untilAnswered(() => requireSoundDatabase(pools, guard, demandsOf(options)), log);
    const { registry } = metrics;
    const { logName } = guard;
    redis = openRedis(options.redisUrl, { part: 'worker', log, registry, logName });
    const parts = { guard, metrics, redis };
    const { mailProofKey, ...records } = await whileUnavailable(() =>
      openRecords(pools, parts, options),
    );
    const erasures = new ErasureLog(options.config.erasure.log, logName);
    const contextOf = (runId: string): JobContext => ({
      config: options.config,
      ...records,
      pool: pools.readers,
      keyWrap: options.keyWrap,
      erasures,
      metrics,
      log,
      now: options.now ?? Date.now,
      by: byProgram('worker', 'worker', runId),
      signal: stopping.signal,
    });
    observeBacklog(registry, pools.readers);
    await startBoss(boss);
    const runs: Runs = { contextOf, guard, pollSeconds: options.pollSeconds ?? 2 };
    for (const job of allJobs()) await register(boss, job, runs);
    loops = allLoops().map((loop) => startLoop(() => turnOf(loop, runs)));
    const databaseUrl = options.directUrl ?? options.databaseUrl;
    if (redis !== null) {
      const { readers } = records;
      model = startRedisModel({ redis, guard, readers, registry, log, databaseUrl });
    }
    const mailParts = { job: contextOf('mail'), boss, guard, databaseUrl, mailProofKey };
    mail = await startMail({ ...mailParts, pollSeconds: runs.pollSeconds }, options);
  } catch (error) {
    await stop();
    throw error;
  }
  const readiness = async () => ({
    ...(await workerReadiness(pools.readers, { draining: stopping.signal.aborted })),
    degraded: [redis, model, mail].flatMap((part) => part?.degraded() ?? []),
  });
  return { metrics, readiness, stop };
}

function openPools({ databaseUrl, log }: WorkerOptions, guard: LogGuard): Pools {
  return createPools({
    databaseUrl,
    readers: connections.readers,
    applicationName: 'latchkey worker',
    logger: log,
    onWriterConnect: (client) => guard.checkConnection(client),
  });
}

function demandsOf({ redisUrl, mail, ownerAllowed = false }: WorkerOptions): DatabaseDemands {
  const consumers = [redisUrl, mail].filter((consumer) => consumer !== undefined).length;
  return { connections: connectionsMax + consumers * consumerConnections, ownerAllowed };
}

interface RecordParts {
  readonly guard: LogGuard;
  readonly metrics: WorkerMetrics;
  readonly redis: NodeRedis | null;
}

/** Throws KeyWrapError when the KEK is not the database's, or the ring lacks that of an issuer key. */
async function openRecords(
  { readers, writers }: Pools,
  { guard, metrics, redis }: RecordParts,
  { keyWrap, log }: WorkerOptions,
): Promise<Pick<JobContext, 'readers' | 'cells'> & Pick<ServerSecrets, 'mailProofKey'>> {
  const { recordSealKey, mailProofKey } = await loadServerSecrets(readers, keyWrap);
  const seal = new RecordSeal(recordSealKey, refusedRowReport(metrics.registry, log));
  const observer = appendCounts(metrics.registry);
  const { handler } = openLog({ readers, writers }, guard, {
    seal,
    observer,
    onAppended: (command) => redis?.wakeUps.appended(command),
  });
  const sealed = sealedReaders(readers, seal);
  const keyset = await findIssuerKeyset(sealed);
  requireKeks(await openPrivateKeys(readers, keyWrap, keyset.state));
  const cells = oneCell({ logId: guard.logId, readers: sealed, handler });
  return { readers: sealed, cells, mailProofKey };
}

function allLoops(): Loop[] {
  return [tickKeys()];
}

function createBoss({ databaseUrl, log }: WorkerOptions): PgBoss {
  const boss = new PgBoss({
    connectionString: databaseUrl,
    application_name: 'latchkey worker jobs',
    schema: jobSchemaName,
    max: connections.jobs,
    migrate: false,
    createSchema: false,
    // Rebuilding an index needs the owner.
    reindex: false,
    superviseIntervalSeconds: 30,
    monitorIntervalSeconds: 30,
    maintenanceIntervalSeconds: 120,
  });
  // Without a listener an error event would end the process. A lost connection heals by itself.
  boss.on('error', (error) => log.error({ err: error }, 'job queue error'));
  boss.on('warning', ({ message, data }) => log.warn({ data }, message));
  return boss;
}

async function startBoss(boss: PgBoss): Promise<void> {
  try {
    await boss.start();
  } catch (error) {
    if (!/not installed|requires migrations/.test((error as Error).message)) throw error;
    throw new Error('The job tables are missing or old: run `latchkey migrate` first', {
      cause: error,
    });
  }
  await boss.createQueue(deadLetterQueue, {
    retentionSeconds: 7 * daySeconds,
    deleteAfterSeconds: daySeconds,
  });
  const { deleteAfterSeconds } = queueSettings;
  await boss.updateQueue(schedulerQueue, { deleteAfterSeconds });
  await unscheduleRetired(boss);
}

async function unscheduleRetired(boss: PgBoss): Promise<void> {
  for (const { name, key } of await boss.getSchedules()) {
    if (retiredJobs.includes(name)) await boss.unschedule(name, key);
  }
}

/** What every run is given. */
interface Runs {
  readonly contextOf: (runId: string) => JobContext;
  readonly guard: LogGuard;
  readonly pollSeconds: number;
}

async function register(
  boss: PgBoss,
  job: Job,
  { contextOf, guard, pollSeconds }: Runs,
): Promise<void> {
  await boss.createQueue(job.name, { policy: 'exclusive', deadLetter: deadLetterQueue });
  // A queue that exists keeps its settings, and those may be an older release's.
  await boss.updateQueue(job.name, { ...queueSettings, deadLetter: deadLetterQueue });
  await boss.schedule(job.name, job.cron, { job: job.name });
  const work = ([due]: BossJob[]) => {
    const context = contextOf(due!.id);
    return perform(job.name, () => job.run(context), context, guard);
  };
  await boss.work(job.name, { pollingIntervalSeconds: pollSeconds }, work);
  if (job.atStart) await boss.send(job.name, { job: job.name });
}

function turnOf(loop: Loop, { contextOf, guard }: Runs): Promise<number> {
  const context = contextOf(newId());
  return perform(loop.name, () => loop.run(context), context, guard);
}
