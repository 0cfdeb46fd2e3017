import { rebuildModel } from '../consumers/redis-model/by-hand.ts';
import { checkModel } from '../consumers/redis-model/check.ts';
import { RedisModelStore } from '../consumers/redis-model/store.ts';
import { LogGuard } from '../eventlog/log-guard.ts';
import type { LogName } from '../eventlog/log-identity.ts';
import { RecordSeal, type SealedReaders, sealedReaders } from '../eventlog/record-seal.ts';
import { loadConfig } from '../node/config.ts';
import { loadServerSecrets } from '../node/server-secrets.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { existingKeyRing } from '../platform/crypto/key-encryption-key.ts';
import { localKeyWrap } from '../platform/crypto/key-wrap.ts';
import { requireSchema } from '../platform/postgres/required-schema.ts';
import { connectedRedisLink } from '../platform/redis/link.ts';
import { databaseUrls } from './database.ts';
import { withReaders } from './with-readers.ts';

/** Deletes the read model in Redis and builds it again from the log; says what it did. */
export function redisRebuild(): Promise<void> {
  return withModel('latchkey redis rebuild', async (model) => {
    const { deletedKeys, from, upTo, events, commands } = await rebuildModel(model);
    console.log(
      `rebuilt: deleted ${deletedKeys} keys, read ${events} events from position ${from} to ${upTo}, ` +
        `wrote ${commands} entries`,
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

interface OpenedModel {
  readonly store: RedisModelStore;
  readonly readers: SealedReaders;
  readonly log: LogName;
}

/** Throws ConfigError, KeyWrapError, LogIdentityError, RedisUnavailableError. */
async function withModel(name: string, work: (model: OpenedModel) => Promise<void>): Promise<void> {
  const config = loadConfig();
  const { url } = config.redis;
  if (url === undefined) {
    throw new ConfigError([{ variable: 'REDIS_URL', message: 'must be set' }]);
  }
  const databaseUrl = databaseUrls(config).application;
  const keyWrap = localKeyWrap(existingKeyRing(config));
  await withReaders({ config, databaseUrl, name }, async (pool, log) => {
    await requireSchema(pool);
    const guard = new LogGuard();
    await guard.check(pool);
    const { recordSealKey } = await loadServerSecrets(pool, keyWrap);
    const link = await connectedRedisLink({ url, name: name.replaceAll(' ', '-'), log });
    try {
      const readers = sealedReaders(pool, new RecordSeal(recordSealKey));
      await work({ store: new RedisModelStore(link), readers, log: guard.logName });
    } finally {
      link.close();
    }
  });
}
