import { startApi } from '../api/serve.ts';
import { type Config, loadConfig, prodUnlessTold } from '../node/config.ts';
import { createLogger } from '../platform/logging/logging.ts';
import { required } from './required.ts';
import { endOnSignal, untilStopped } from './shutdown.ts';

/**
 * One API process for production. Refuses to start on an unsafe configuration or an unmigrated
 * schema, and is ready only once the configured administrator exists.
 */
export async function serve({ reusePort = false }: { reusePort?: boolean }): Promise<void> {
  endOnSignal();
  const config = loadConfig(prodUnlessTold(process.env));
  const log = createLogger({ level: config.logging.level, name: 'latchkey serve' });
  for (const warning of config.warnings) log.warn({}, warning);
  const api = await startApi({
    config,
    databaseUrl: required(config.database.url, 'DATABASE_URL'),
    ...(config.database.directUrl === undefined ? {} : { directUrl: config.database.directUrl }),
    ...configuredAdministrator(config),
    log,
    reusePort,
  });
  log.info(
    {
      environment: config.environment.name,
      host: api.host,
      port: api.port,
      metrics_port: api.metricsPort,
      issuer: config.tokens.issuer,
    },
    'ready',
  );
  await untilStopped(log, () => api.stop());
}

function configuredAdministrator({ administrator: { email, password } }: Config) {
  if (email === undefined || password === undefined) return {};
  return { administrator: { email, password } };
}
