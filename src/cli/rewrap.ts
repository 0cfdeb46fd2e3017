import { loadConfig } from '../node/config.ts';
import { rewrapKeys } from '../node/rewrap-keys.ts';
import { loadServerSecrets } from '../node/server-secrets.ts';
import { existingKeyRing } from '../platform/crypto/key-encryption-key.ts';
import { localKeyWrap } from '../platform/crypto/key-wrap.ts';
import { connectOwnClient } from '../platform/postgres/own-client.ts';
import { requireSchema } from '../platform/postgres/required-schema.ts';
import { whileUnavailable } from '../platform/postgres/while-unavailable.ts';
import { databaseUrls } from './database.ts';
import { withReaders } from './with-readers.ts';

/**
 * Moves every stored key under the first key of KEK, however long that takes, and says when the
 * others may be taken out of it.
 */
export async function keysRewrap(): Promise<void> {
  const config = loadConfig();
  const keyWrap = localKeyWrap(existingKeyRing(config));
  const databaseUrl = databaseUrls(config).application;
  const applicationName = 'latchkey keys';
  await withReaders({ config, databaseUrl, name: applicationName }, (readers) =>
    whileUnavailable(async () => {
      await requireSchema(readers);
      await loadServerSecrets(readers, keyWrap);
    }),
  );
  const client = await connectOwnClient({ url: databaseUrl, applicationName });
  try {
    const { rewrapped, keys } = await rewrapKeys(client, keyWrap);
    console.log(
      `${rewrapped} keys wrapped anew; all ${keys} are under ${keyWrap.wrappingKekId} now.`,
    );
    console.log('Take the older keys out of KEK on every process. Backups still need them.');
  } finally {
    await client.end();
  }
}
