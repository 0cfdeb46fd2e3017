import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A path in a folder of its own, where nothing is yet. */
export function aFile(name: string): string {
  return path.join(tmpdir(), `latchkey-file-${randomBytes(6).toString('hex')}`, name);
}
