import { tmpdir } from 'node:os';
import path from 'node:path';

/**
 * For the environment of every Node process that a test starts: the second of a kind need not
 * compile what the first one did.
 */
export const compileCache: Readonly<Record<string, string>> = {
  NODE_COMPILE_CACHE: path.join(tmpdir(), 'latchkey-test-compile-cache'),
};
