import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export interface MigrationFile {
  readonly version: number;
  readonly name: string;
  readonly fileName: string;
  readonly sql: string;
  /**
   * SHA-256 of the text with LF line ends, so that a checkout on another system counts as the same.
   */
  readonly checksum: string;
}

/** The migrations of this release. */
export const migrationsDirectory = fileURLToPath(new URL('../../../migrations', import.meta.url));

const namePattern = /^(\d{6})_([a-z0-9_]+)\.sql$/;

/**
 * The files of a migrations directory in order. Throws on a strange name, a repeated number or a
 * gap.
 */
export function readMigrations(directory: string): MigrationFile[] {
  const files = readdirSync(directory)
    .filter((fileName) => fileName.endsWith('.sql'))
    .sort()
    .map((fileName) => readMigration(directory, fileName));
  for (const [index, file] of files.entries()) {
    if (file.version !== index + 1) {
      throw new Error(
        `Migration ${file.fileName} should have number ${index + 1}: numbers start at 1, without gap or repetition`,
      );
    }
  }
  return files;
}

function readMigration(directory: string, fileName: string): MigrationFile {
  const [, version, name] = namePattern.exec(fileName) ?? [];
  if (version === undefined || name === undefined) {
    throw new Error(`Migration ${fileName} is not named NNNNNN_what.sql`);
  }
  const sql = readFileSync(path.join(directory, fileName), 'utf8').replaceAll('\r\n', '\n');
  const checksum = createHash('sha256').update(sql).digest('hex');
  return { version: Number(version), name, fileName, sql, checksum };
}
