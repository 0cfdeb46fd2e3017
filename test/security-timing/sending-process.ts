import { setTimeout as sleep } from 'node:timers/promises';
import { startApi } from '../../src/api/serve.ts';
import { loadConfig } from '../../src/node/config.ts';
import { createLogger } from '../../src/platform/logging/logging.ts';

// A build that talks to a slow SMTP server before it answers a request of a known address: what
// delivery by a worker avoids.
const smtpMs = 400;
const config = loadConfig();
const api = await startApi({
  config,
  databaseUrl: config.database.url!,
  log: createLogger({ level: config.logging.level, name: 'sending api' }),
});
const { handler } = api.node.cells.home;
const run = handler.run.bind(handler);
handler.run = (key, attempt) =>
  run(key, async () => {
    const decided = await attempt();
    const events = decided.command?.streams.flatMap((stream) => stream.events) ?? [];
    const isOfNew = events.some(({ type }) => type === 'UserRegistered');
    if (events.length > 0 && !isOfNew) await sleep(smtpMs);
    return decided;
  });
console.log(JSON.stringify({ msg: 'ready', port: api.port, metrics_port: 0 }));
