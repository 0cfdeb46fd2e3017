import { createInterface } from 'node:readline/promises';
import { eraseUser } from '../app/user/erase-user.ts';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import { isId } from '../domain/kernel/ids.ts';
import { loadConfig } from '../node/config.ts';
import { ErasureLog } from '../node/erasure-log.ts';
import { findUserOrTombstone } from '../tables/user.ts';
import { findId } from './find-id.ts';
import { type OperatorLog, withOpenLog } from './open-log.ts';
import { byOperator } from './operator.ts';

/**
 * Erases the user with this id or address, against the database itself. Asks first; `yes` is the
 * answer of a script, which nobody can ask.
 */
export async function usersErase(emailOrId: string, { yes }: { readonly yes: boolean }) {
  const config = loadConfig();
  const userId = await withOpenLog(config, 'latchkey users', (opened) =>
    existingId(opened, emailOrId),
  );
  if (!yes) await confirm(userId);
  await withOpenLog(config, 'latchkey users', async (opened) => {
    const erasures = new ErasureLog(config.erasure.log, opened.logName);
    await eraseUser({ ...opened, erasures, now: Date.now }, { userId }, byOperator());
  });
  console.log(`${userId} is erased, and named in ${config.erasure.log}`);
}

async function existingId(opened: OperatorLog, emailOrId: string): Promise<string> {
  if (!isId(emailOrId)) return findId(opened, emailOrId);
  const user = await findUserOrTombstone(opened.cells.of(emailOrId).readers, emailOrId);
  if (user !== null) return emailOrId;
  throw new LatchkeyError('not_found', { detail: 'no user has this id' });
}

async function confirm(userId: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new Error('Nobody can be asked without a terminal: add --yes to erase this user');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question = `Erase ${userId} and all that tells who it was? Nobody can undo it. Type yes: `;
    if ((await terminal.question(question)).trim() === 'yes') return;
  } finally {
    terminal.close();
  }
  throw new Error('Nothing was erased');
}
