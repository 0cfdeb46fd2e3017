import { startApi } from '../../src/api/serve.ts';
import { loadConfig } from '../../src/node/config.ts';
import { createLogger } from '../../src/platform/logging/logging.ts';

// One API process of a test: prints its port, drains on SIGTERM, and ends with the test that started it.
process.stdin.resume().on('end', () => process.exit(1));
const config = loadConfig();
const api = await startApi({
  config,
  databaseUrl: config.database.url!,
  ...(config.database.directUrl === undefined ? {} : { directUrl: config.database.directUrl }),
  log: createLogger({ level: config.logging.level, name: 'test api' }),
});
process.on('SIGTERM', () => void api.stop().then(() => process.exit(0)));
console.log(`port ${api.port}`);
