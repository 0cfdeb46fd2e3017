import { loadConfig, prodUnlessTold } from '../node/config.ts';
import { loadKeyRing } from '../platform/crypto/key-encryption-key.ts';
import { localKeyWrap } from '../platform/crypto/key-wrap.ts';
import { createLogger } from '../platform/logging/logging.ts';
import { startOperatorServer } from '../platform/metrics/operator-server.ts';
import { processRegistry } from '../platform/metrics/registry.ts';
import { mailConfigOf } from '../worker/mail/config.ts';
import { startWorker } from '../worker/worker.ts';
import { required } from './required.ts';
import { endOnSignal, untilStopped } from './shutdown.ts';

/** The job process for production; any number may run. */
export async function worker(): Promise<void> {
  endOnSignal();
  const config = loadConfig(prodUnlessTold(process.env));
  const log = createLogger({ level: config.logging.level, name: 'latchkey worker' });
  for (const warning of config.warnings) log.warn({}, warning);
  await using running = new AsyncDisposableStack();
  const registry = processRegistry();
  const jobs = running.adopt(
    await startWorker({
      config,
      databaseUrl: required(config.database.url, 'DATABASE_URL'),
      ...(config.database.directUrl === undefined ? {} : { directUrl: config.database.directUrl }),
      ...(config.redis.url === undefined ? {} : { redisUrl: config.redis.url }),
      ...mailConfigOf(config),
      keyWrap: localKeyWrap(loadKeyRing(config)),
      log,
      registry,
    }),
    (worker) => worker.stop(),
  );
  const server = await startOperatorServer({
    host: config.worker.host,
    port: config.worker.port,
    variables: { host: 'WORKER_HOST', port: 'WORKER_PORT' },
    registry,
    ...(config.metrics.token === undefined ? {} : { token: config.metrics.token }),
    readiness: () => jobs.readiness(),
  });
  running.defer(() => server.close());
  const { host, port } = server;
  log.info({ environment: config.environment.name, host, port }, 'ready');
  await untilStopped(log, () => running.disposeAsync());
}
