import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ConfigError } from '../config/config-error.ts';
import type { ValuesOf } from '../config/topic.ts';
import { ensureDataDirectory } from '../data-directory.ts';
import type { environment } from '../environment.ts';
import { type encryption, type KeyEncryptionKey, keyRing } from './settings.ts';

interface KeyRingSettings {
  readonly environment: ValuesOf<typeof environment>;
  readonly encryption: ValuesOf<typeof encryption>;
}

/**
 * The key-encryption keys, the first of which wraps. Without `KEK` in dev: one key of 32 bytes in
 * `<DATA_DIR>/kek`, mode 0600, made once. Throws ConfigError when there is no key or the file is
 * damaged.
 */
export function loadKeyRing(config: KeyRingSettings): readonly KeyEncryptionKey[] {
  if (config.encryption.kek !== undefined) return config.encryption.kek;
  const file = path.join(config.environment.dataDir, 'kek');
  if (config.environment.name === 'prod') {
    throw new ConfigError([{ variable: 'KEK', message: 'must be set in prod' }]);
  }
  if (!existsSync(file)) createKeyFile(file);
  const parsed = keyRing.safeParse(readFileSync(file, 'utf8').trim());
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
export function existingKeyRing(config: KeyRingSettings): readonly KeyEncryptionKey[] {
  if (
    config.encryption.kek === undefined &&
    !existsSync(path.join(config.environment.dataDir, 'kek'))
  ) {
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
