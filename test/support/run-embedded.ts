import type { LaunchMode } from '../../src/platform/embedded-postgres/binaries.ts';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';

/** Starts an embedded Postgres in a process that a test can kill, says where, and waits to be ended. */
const [dataDir, launchMode] = process.argv.slice(2);
try {
  const {
    url,
    pid,
    launchMode: mode,
  } = await startEmbeddedPostgres({
    dataDir: dataDir!,
    logger: { info() {} },
    ...(launchMode === undefined ? {} : { launchMode: launchMode as LaunchMode }),
  });
  process.stdout.write(`${JSON.stringify({ url, pid, mode })}\n`);
  setInterval(() => {}, 60_000);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ error: (error as Error).message })}\n`);
}
