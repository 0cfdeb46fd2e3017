import { connectLeader } from '../consumers/leader-connection.ts';
import { type ByHand, rebuildModel } from '../consumers/redis-model/by-hand.ts';
import { checkModel } from '../consumers/redis-model/check.ts';
import { RedisModelStore } from '../consumers/redis-model/store.ts';
import { loadConfig } from '../node/config.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { connectedRedisLink } from '../platform/redis/link.ts';
import { databaseUrls } from './database.ts';
import { withOpenLog } from './open-log.ts';

/** Has the read model in Redis deleted and built again from the log; says who did it, and what. */
export function redisRebuild(): Promise<void> {
  return withModel('latchkey redis rebuild', async (model) => {
    const { byWorker, deletedKeys, from, upTo, events, commands } = await rebuildModel(model);
    console.log(
      byWorker
        ? `rebuilt by a running worker, up to position ${upTo}`
        : `rebuilt: deleted ${deletedKeys} keys, read ${events} events from position ${from} to ` +
            `${upTo}, wrote ${commands} entries`,
    );
  });
}

/** Compares the blacklist with the revocations; ends with exit code 2 when something is missing. */
export function redisCheck(): Promise<void> {
  return withModel('latchkey redis check', async (model) => {
    const findings = await checkModel(model);
    for (const finding of findings) console.log(finding);
    console.log(findings.length === 0 ? 'good' : `${findings.length} findings`);
    if (findings.length > 0) process.exitCode = 2;
  });
}

/** Throws as `withOpenLog` does, and RedisUnavailableError. */
async function withModel(name: string, work: (model: ByHand) => Promise<void>): Promise<void> {
  const config = loadConfig();
  const { url } = config.redis;
  if (url === undefined) {
    throw new ConfigError([{ variable: 'REDIS_URL', message: 'must be set' }]);
  }
  const directUrl = config.database.directUrl ?? databaseUrls(config).application;
  const connect = () => connectLeader(directUrl, name);
  await withOpenLog(config, name, async ({ cells, logName, log }) => {
    const link = await connectedRedisLink({ url, name: name.replaceAll(' ', '-'), log });
    try {
      const { readers } = cells.home;
      await work({ store: new RedisModelStore(link), readers, log: logName, connect });
    } finally {
      link.close();
    }
  });
}
