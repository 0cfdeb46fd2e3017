import { RecordSeal } from '../eventlog/record-seal.ts';
import { loadConfig } from '../node/config.ts';
import { loadServerSecrets } from '../node/server-secrets.ts';
import { existingKeyRing } from '../platform/crypto/key-encryption-key.ts';
import { localKeyWrap } from '../platform/crypto/key-wrap.ts';
import { SubjectKeys } from '../platform/crypto/subject-cipher.ts';
import { requireSchema } from '../platform/postgres/required-schema.ts';
import { rebuildAndCompare } from '../rebuild/rebuild.ts';
import { databaseUrls } from './database.ts';
import { withReaders } from './with-readers.ts';

/** With fewer, the time is that of the connections and of the temporary tables. */
const rateFromEvents = 10_000;

/**
 * Folds the log into temporary tables. With `compare`, prints every difference to the live rows and
 * ends with exit code 2 when there is one.
 */
export async function rebuild({ compare = false }: { compare?: boolean }): Promise<void> {
  const config = loadConfig();
  const databaseUrl = databaseUrls(config).owner;
  const keyWrap = localKeyWrap(existingKeyRing(config));
  const subjectKeys = new SubjectKeys({ keyWrap, cachedKeysMax: 1 });
  const command = { config, databaseUrl, name: 'latchkey rebuild' };
  const result = await withReaders(command, async (readers, log) => {
    await requireSchema(readers);
    const { identifierKey, recordSealKey } = await loadServerSecrets(readers, keyWrap);
    return rebuildAndCompare({
      databaseUrl,
      keys: {
        identifierKey,
        seal: new RecordSeal(recordSealKey),
        unwrapSubjectKey: (subjectId, wrapped) => subjectKeys.unwrap(subjectId, wrapped),
      },
      log,
    });
  });
  const rate =
    result.events < rateFromEvents
      ? ''
      : `, ${Math.round(result.events / result.seconds)} events/s`;
  console.log(`${result.events} events up to position ${result.ceiling}${rate}`);
  if (!compare) return;
  for (const difference of result.differences) console.log(JSON.stringify(difference));
  console.log(result.count === 0 ? 'equal' : `${result.count} differences`);
  if (result.count > 0) process.exitCode = 2;
}
