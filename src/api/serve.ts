import type { Registry } from 'prom-client';
import { byProgram } from '../app/by.ts';
import { ensureIssuerKeys } from '../app/keyset/ensure-issuer-keys.ts';
import { ensureConfiguredAdministrator } from '../app/user/ensure-administrator.ts';
import type { Command } from '../eventlog/command.ts';
import { LogGuard } from '../eventlog/log-guard.ts';
import { RecordSeal } from '../eventlog/record-seal.ts';
import { refusedRowReport } from '../eventlog/refused-rows.ts';
import type { AppendProbe } from '../node/append-probe.ts';
import type { Config } from '../node/config.ts';
import { limitConnections, nodeConnections } from '../node/connections.ts';
import { DpopProofs } from '../node/dpop-proofs.ts';
import { ErasureLog } from '../node/erasure-log.ts';
import { HeldRefusals } from '../node/held-refusals.ts';
import { loginQueues } from '../node/login-queues.ts';
import { nodeMetrics, observeNode } from '../node/metrics.ts';
import type { Node } from '../node/node.ts';
import { NodeMemory } from '../node/node-memory.ts';
import { nodeRateLimits } from '../node/node-rate-limits.ts';
import { NotableEvents } from '../node/notable-events.ts';
import { keepLifetimeNoted } from '../node/noted-lifetimes.ts';
import { openObservedLog } from '../node/observed-log.ts';
import { ReadinessProbe } from '../node/readiness.ts';
import { type NodeRedis, openRedis } from '../node/redis.ts';
import { RevocationPoll } from '../node/revocation-poll.ts';
import { loadServerSecrets } from '../node/server-secrets.ts';
import { SessionKeys } from '../node/session-keys.ts';
import { requireSoundDatabase } from '../node/sound-database.ts';
import { watchedRefusals } from '../node/watched-refusals.ts';
import { parseTrustedProxies } from '../platform/client-address.ts';
import { loadKeyRing } from '../platform/crypto/key-encryption-key.ts';
import { type KeyWrap, localKeyWrap } from '../platform/crypto/key-wrap.ts';
import { SubjectKeys } from '../platform/crypto/subject-cipher.ts';
import type { Logger } from '../platform/logging/logging.ts';
import type { DevelopmentMailbox } from '../platform/mail/mailbox.ts';
import { startOperatorServer } from '../platform/metrics/operator-server.ts';
import { processRegistry } from '../platform/metrics/registry.ts';
import type { DedicatedConnection } from '../platform/postgres/connection.ts';
import { migrationsDirectory } from '../platform/postgres/migration-files.ts';
import { createPools, type Pools } from '../platform/postgres/pool.ts';
import { untilAnswered, whileUnavailable } from '../platform/postgres/while-unavailable.ts';
import { createAuthenticators } from './authenticators.ts';
import { createApp } from './http/app.ts';
import { behindFastLane } from './http/fast-lane.ts';
import { InFlight } from './http/in-flight.ts';
import { httpMetrics } from './http/metrics.ts';
import { startHttpServer } from './http/server.ts';
import { servedRoutes } from './served-routes.ts';

export interface ApiOptions {
  readonly config: Config;
  /** As the application role. */
  readonly databaseUrl: string;
  /** Reaches Postgres itself where `databaseUrl` leads to a pooler; default: `databaseUrl`. */
  readonly directUrl?: string;
  /** Made before the API listens, if there is no user with this address. */
  readonly administrator?: AdministratorToBe;
  /** Served at `/dev/mailbox`; in dev only. */
  readonly mailbox?: DevelopmentMailbox;
  /** In dev one role may migrate and serve. */
  readonly ownerAllowed?: boolean;
  readonly log: Logger;
  /** Default: one of its own. */
  readonly registry?: Registry;
  readonly reusePort?: boolean;
  /** See HttpServerOptions. */
  readonly idleGraceMs?: number;
}

export interface AdministratorToBe {
  readonly email: string;
  readonly password: string;
}

export interface Api {
  readonly host: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly node: Node;
  /** Stops accepting, answers what is under way, closes everything. */
  stop(): Promise<void>;
}

const drainMs = 10_000;

/**
 * Starts one API process against a migrated database: checks it, loads keys, clients and
 * revocations, sees to the administrator, and only then listens. What fails closes what was opened.
 * Throws UnsafeDatabaseError, SchemaError, LogIdentityError, KeyWrapError, ConfigError.
 */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { config, log } = options;
  await using opened = new AsyncDisposableStack();
  const metrics = nodeMetrics(options.registry ?? processRegistry());
  const keyWrap = localKeyWrap(loadKeyRing(config));
  const subjectKeys = new SubjectKeys({ keyWrap, cachedKeysMax: 10_000 });
  const memory = new NodeMemory(config, subjectKeys);
  const guard = new LogGuard((error, logId) => {
    if (logId !== null) memory.leases.ofLog(logId).forfeit();
    log.fatal({ err: error }, 'the log is refused: nothing is verified or written any more');
  });
  const pools = openPools(options, guard);
  opened.defer(() => pools.end());
  const connection = pools.dedicated('latchkey serve revocation poll');
  opened.defer(() => connection.close());
  const { ownerAllowed = false } = options;
  const demands = { connections: nodeConnections(config), ownerAllowed, direct: connection };
  await untilAnswered(() => requireSoundDatabase(pools, guard, demands), log);
  const secrets = await whileUnavailable(() => loadServerSecrets(pools.readers, keyWrap));
  const seal = new RecordSeal(secrets.recordSealKey, refusedRowReport(metrics.registry, log));
  const { registry } = metrics;
  const { logName } = guard;
  const redis = openRedis(config.redis.url, { part: 'serve', log, registry, logName });
  opened.defer(() => redis?.close());
  const observed = { memory, metrics, log };
  const shared = { ...observed, guard, seal, notableEvents: new NotableEvents(observed) };
  const onAppended = (command: Command) => redis?.wakeUps.appended(command);
  const { cells, appendProbe } = openObservedLog(pools, { ...shared, onAppended });
  const poll = createPoll(connection, { ...shared, config, keyWrap });
  opened.defer(() => poll.stop());
  const sessionKeys = new SessionKeys({ config, cells, memory, secrets, keyWrap, log });
  const node: Node = {
    config,
    cells,
    ...loginQueues(config, { metrics, log }),
    subjectKeys,
    erasures: new ErasureLog(config.erasure.log, logName),
    keyWrap,
    secrets,
    memory,
    proofs: new DpopProofs(secrets.dpopNonceKey, config.deviceKeys),
    sessionKeys,
    rateLimits: nodeRateLimits(config, { redis, pools, secrets, metrics }),
    heldRefusals: new HeldRefusals(),
    metrics,
    refreshMemory: () => poll.refresh(),
    now: () => Date.now(),
  };
  await whileUnavailable(() => ensureIssuerKeys(node, byProgram('system', 'start-up')));
  const lifetime = await whileUnavailable(() => keepLifetimeNoted(pools.readers, config, log));
  opened.defer(() => lifetime.stop());
  redis?.listen(() => poll.hint());
  await whileUnavailable(() => poll.start());
  const { administrator } = options;
  if (administrator !== undefined) {
    await whileUnavailable(() => ensureConfiguredAdministrator(node, administrator, log));
  }
  await sessionKeys.warm();
  observeNode(metrics.registry, { pools, memory, hasher: node.hasher, sessionKeys });
  const parts = { pools, poll, lifetime, memory, guard, appendProbe, redis };
  const api = await listen(options, node, parts);
  opened.move();
  return api;
}

function openPools({ config, log, ...urls }: ApiOptions, guard: LogGuard): Pools {
  return createPools({
    databaseUrl: urls.databaseUrl,
    directUrl: urls.directUrl ?? urls.databaseUrl,
    readers: config.database.poolReaders,
    short: limitConnections(config),
    applicationName: 'latchkey serve',
    logger: log,
    onWriterConnect: (client) => guard.checkConnection(client),
  });
}

interface Parts {
  readonly pools: Pools;
  readonly poll: RevocationPoll;
  readonly lifetime: { stop(): void };
  readonly memory: NodeMemory;
  readonly guard: LogGuard;
  readonly appendProbe: AppendProbe;
  readonly redis: NodeRedis | null;
}

async function listen(
  { config, log, mailbox, reusePort = false, idleGraceMs }: ApiOptions,
  node: Node,
  { pools, poll, lifetime, memory, guard, appendProbe, redis }: Parts,
): Promise<Api> {
  const { registry } = node.metrics;
  const metrics = httpMetrics(registry);
  const inFlight = new InFlight();
  const probe = new ReadinessProbe({
    readers: pools.readers,
    memory,
    keyWrap: node.keyWrap,
    guard,
    appendProbe,
    isDraining: () => inFlight.draining,
    degraded: () => redis?.degraded() ?? [],
    migrationsDirectory,
  });
  const routes = servedRoutes(node, probe, { registry, mailbox });
  const app = createApp({
    routes,
    authenticators: createAuthenticators(node),
    rateLimits: node.rateLimits,
    floor: {
      ms: config.http.loginFloorMs,
      onOverrun: () => node.metrics.loginFloorOverruns.inc(),
      hold: (ms, client) => node.heldRefusals.hold(ms, client),
    },
    allowedOrigins: config.browser.allowedOrigins,
    trustedProxies: parseTrustedProxies(config.http.trustedProxies),
    log,
    metrics,
    inFlight,
    onRefused: watchedRefusals(node, log),
  });
  await using opened = new AsyncDisposableStack();
  const metricsServer = await startOperatorServer({
    host: '127.0.0.1',
    // Processes that share the API's port cannot share this one too: each must be scraped by
    // itself.
    port: reusePort ? 0 : config.metrics.port,
    variables: { port: 'METRICS_PORT' },
    registry,
  });
  opened.defer(() => metricsServer.close());
  const http = await startHttpServer({
    listener: behindFastLane(app, routes, { log, inFlight, metrics }),
    inFlight,
    host: config.http.host,
    port: config.http.port,
    reusePort,
    idleGraceMs,
  });
  opened.move();
  return {
    host: config.http.host,
    port: http.port,
    metricsPort: metricsServer.port,
    node,
    stop: async () => {
      node.heldRefusals.release();
      await http.drain(drainMs);
      lifetime.stop();
      redis?.close();
      await poll.stop();
      await metricsServer.close();
      await pools.end();
    },
  };
}

interface PollParts {
  readonly memory: NodeMemory;
  readonly guard: LogGuard;
  readonly config: Config;
  readonly keyWrap: KeyWrap;
  readonly seal: RecordSeal;
  readonly log: Logger;
  readonly notableEvents: NotableEvents;
}

function createPoll(
  connection: DedicatedConnection,
  { config, ...parts }: PollParts,
): RevocationPoll {
  return new RevocationPoll({
    ...parts,
    connection,
    intervalMs: config.verification.pollMs,
  });
}
