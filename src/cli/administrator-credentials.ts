import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../node/config.ts';
import { ensureDataDirectory } from '../platform/data-directory.ts';

export interface AdministratorCredentials {
  readonly email: string;
  readonly password: string;
  /** Where the generated credentials stand; null when they came from the configuration. */
  readonly file: string | null;
}

/**
 * The first administrator's credentials: configured, or generated once into
 * `<DATA_DIR>/administrator`, mode 0600. They never reach a log.
 */
export function administratorCredentials(config: Config): AdministratorCredentials {
  if (config.administrator.email !== undefined && config.administrator.password !== undefined) {
    return {
      email: config.administrator.email,
      password: config.administrator.password,
      file: null,
    };
  }
  const file = path.join(config.environment.dataDir, 'administrator');
  ensureDataDirectory(config.environment.dataDir);
  const generated = { email: 'admin@localhost', password: randomBytes(24).toString('base64url') };
  try {
    const text = `${generated.email}\n${generated.password}\n`;
    writeFileSync(file, text, { mode: 0o600, flag: 'wx', flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const [email, password] = readFileSync(file, 'utf8').split('\n');
  if (!email || !password) {
    throw new Error(`${file} is damaged: delete it to have new credentials generated`);
  }
  return { email, password, file };
}
