import { loadConfig } from '../node/config.ts';
import { rewrapKeys } from '../node/rewrap-keys.ts';
import { loadServerSecrets } from '../node/server-secrets.ts';
import { existingKeyRing } from '../platform/crypto/key-encryption-key.ts';
import { localKeyWrap } from '../platform/crypto/key-wrap.ts';
import { createLogger } from '../platform/logging/logging.ts';
import { createPools } from '../platform/postgres/pool.ts';
import { requireSchema } from '../platform/postgres/required-schema.ts';
import { databaseUrls } from './database.ts';

const hourMs = 3_600_000;

/**
 * Moves every stored key under the first key of KEK, and says when the others may be taken out of it.
 */
export async function keysRewrap(): Promise<void> {
  const config = loadConfig();
  const log = createLogger({ level: config.logging.level, name: 'latchkey keys' });
  const keyWrap = localKeyWrap(existingKeyRing(config));
  const pools = createPools({
    databaseUrl: databaseUrls(config).application,
    readers: 1,
    applicationName: 'latchkey keys',
    logger: log,
  });
  try {
    await requireSchema(pools.readers);
    await loadServerSecrets(pools.readers, keyWrap);
    const { rewrapped, keys } = await pools.readers.use((client) => rewrapKeys(client, keyWrap), {
      timeoutMs: hourMs,
    });
    const count = Object.values(rewrapped).reduce((sum, each) => sum + each, 0);
    console.log(`${count} keys wrapped anew; all ${keys} are under ${keyWrap.wrappingKekId} now.`);
    console.log('Take the older keys out of KEK on every process. Backups still need them.');
  } finally {
    await pools.end();
  }
}
