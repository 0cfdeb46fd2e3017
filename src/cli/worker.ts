import { loadConfig } from '../platform/config.ts';
import { createLogger } from '../platform/logging.ts';
import { startWorker } from '../worker/worker.ts';
import { required } from './required.ts';
import { untilStopped } from './shutdown.ts';

/** The job process for production; any number may run. */
export async function worker(): Promise<void> {
  const config = loadConfig({ APP_ENV: 'prod', ...process.env });
  const log = createLogger({ level: config.logLevel, name: 'latchkey worker' });
  const running = await startWorker({
    config,
    databaseUrl: required(config.databaseUrl, 'DATABASE_URL'),
    log,
  });
  log.info({}, 'ready');
  await untilStopped(log, () => running.stop());
}
