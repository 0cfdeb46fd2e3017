import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import { environmentSchema, type KeyEncryptionKey } from '../config/config-schema.ts';
import { ensureDataDirectory } from '../data-directory.ts';

/**
 * The key-encryption keys, the first of which wraps. Without `KEK` in dev: one key of 32 bytes in
 * `<DATA_DIR>/kek`, mode 0600, made once. Throws ConfigError when there is no key or the file is
 * damaged.
 */
export function loadKeyRing(config: Config): readonly KeyEncryptionKey[] {
  if (config.kek !== undefined) return config.kek;
  const file = path.join(config.dataDir, 'kek');
  if (config.appEnv === 'prod') {
    throw new ConfigError([{ variable: 'KEK', message: 'must be set in prod' }]);
  }
  if (!existsSync(file)) createKeyFile(file);
  const parsed = environmentSchema.shape.KEK.safeParse(readFileSync(file, 'utf8').trim());
  if (!parsed.success) {
    const message = `in ${file} is damaged: restore the file; without it, stored keys cannot be read`;
    throw new ConfigError([{ variable: 'KEK', message }]);
  }
  return parsed.data;
}

/**
 * The key-encryption keys of a database that is in use already: none is made here, as a new one
 * opens nothing. Throws ConfigError.
 */
export function existingKeyRing(config: Config): readonly KeyEncryptionKey[] {
  if (config.kek === undefined && !existsSync(path.join(config.dataDir, 'kek'))) {
    const message = 'must be set to the value that the running service has';
    throw new ConfigError([{ variable: 'KEK', message }]);
  }
  return loadKeyRing(config);
}

/** Appears whole or not at all, and the first of several processes wins. */
function createKeyFile(file: string): void {
  ensureDataDirectory(path.dirname(file));
  const staging = `${file}.${randomBytes(6).toString('hex')}`;
  const key = `dev-${randomBytes(4).toString('hex')}:${randomBytes(32).toString('base64url')}\n`;
  writeFileSync(staging, key, { mode: 0o600, flush: true });
  try {
    linkSync(staging, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(staging);
  }
}
