import { ensureAdministrator } from '../api/commands/ensure-administrator.ts';
import { startApi } from '../api/serve.ts';
import { loadConfig } from '../platform/config.ts';
import { createLogger } from '../platform/logging.ts';
import { required } from './required.ts';
import { untilStopped } from './shutdown.ts';
import { startUpMeta } from './start-up-meta.ts';

/**
 * One API process for production. Refuses to start on an unsafe configuration or an unmigrated
 * schema.
 */
export async function serve({ reusePort = false }: { reusePort?: boolean }): Promise<void> {
  const config = loadConfig({ APP_ENV: 'prod', ...process.env });
  const log = createLogger({ level: config.logLevel, name: 'latchkey serve' });
  for (const warning of config.warnings) log.warn({}, warning);
  const api = await startApi({
    config,
    databaseUrl: required(config.databaseUrl, 'DATABASE_URL'),
    ...(config.databaseDirectUrl === undefined ? {} : { directUrl: config.databaseDirectUrl }),
    log,
    reusePort,
  });
  const { adminEmail: email, adminPassword: password } = config;
  if (email !== undefined && password !== undefined) {
    await ensureAdministrator(api.services, { email, password }, startUpMeta);
  }
  log.info({ port: api.port, metrics_port: api.metricsPort, issuer: config.issuer }, 'ready');
  await untilStopped(log, () => api.stop());
}
