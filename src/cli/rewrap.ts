import { loadConfig } from '../node/config.ts';
import { rewrapKeys } from '../node/rewrap-keys.ts';
import { loadServerSecrets } from '../node/server-secrets.ts';
import { existingKeyRing } from '../platform/crypto/key-encryption-key.ts';
import { localKeyWrap } from '../platform/crypto/key-wrap.ts';
import { requireSchema } from '../platform/postgres/required-schema.ts';
import { databaseUrls } from './database.ts';
import { withReaders } from './with-readers.ts';

const hourMs = 3_600_000;

/**
 * Moves every stored key under the first key of KEK, and says when the others may be taken out of it.
 */
export async function keysRewrap(): Promise<void> {
  const config = loadConfig();
  const keyWrap = localKeyWrap(existingKeyRing(config));
  const command = { config, databaseUrl: databaseUrls(config).application, name: 'latchkey keys' };
  const { rewrapped, keys } = await withReaders(command, async (readers) => {
    await requireSchema(readers);
    await loadServerSecrets(readers, keyWrap);
    return readers.use((client) => rewrapKeys(client, keyWrap), { timeoutMs: hourMs });
  });
  const count = Object.values(rewrapped).reduce((sum, each) => sum + each, 0);
  console.log(`${count} keys wrapped anew; all ${keys} are under ${keyWrap.wrappingKekId} now.`);
  console.log('Take the older keys out of KEK on every process. Backups still need them.');
}
