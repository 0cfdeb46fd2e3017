import { accessSync, constants, mkdirSync } from 'node:fs';
import { ConfigError } from './config/config-error.ts';

/**
 * Makes the directory of DATA_DIR. Others may pass through, for the mode in which Postgres is
 * another user; they can read nothing. Throws ConfigError when it cannot be written.
 */
export function ensureDataDirectory(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o711 });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const remedy =
      code === 'ENOSPC'
        ? 'the disk is full: free some space'
        : 'name a directory that this user may write';
    const message = `${dataDir} cannot be written (${code}): ${remedy}`;
    throw new ConfigError([{ variable: 'DATA_DIR', message }], { cause: error });
  }
}
