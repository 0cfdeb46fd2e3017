import { loadConfig } from '../platform/config.ts';
import { createLogger } from '../platform/logging.ts';
import { createMetrics, startMetricsServer } from '../platform/metrics.ts';
import { startWorker } from '../worker/worker.ts';
import { required } from './required.ts';
import { untilStopped } from './shutdown.ts';

/** The job process for production; any number may run. */
export async function worker(): Promise<void> {
  const config = loadConfig({ APP_ENV: 'prod', ...process.env });
  const log = createLogger({ level: config.logLevel, name: 'latchkey worker' });
  const { registry } = createMetrics();
  const running = await startWorker({
    config,
    databaseUrl: required(config.databaseUrl, 'DATABASE_URL'),
    log,
    registry,
  });
  // One above the API's: both may run on one machine with the same environment.
  const metricsPort = config.metricsPort === 0 ? 0 : config.metricsPort + 1;
  const metricsServer = await startMetricsServer(registry, { port: metricsPort });
  log.info({ metrics_port: metricsPort }, 'ready');
  await untilStopped(log, async () => {
    await running.stop();
    metricsServer.closeAllConnections();
    metricsServer.close();
  });
}
