import { closeSync, writeSync } from 'node:fs';
import { exportUsers } from '../app/user-import/export-users.ts';
import { loadConfig } from '../node/config.ts';
import { SubjectKeys } from '../platform/crypto/subject-cipher.ts';
import { withOpenLog } from './open-log.ts';
import { ProgressLine } from './progress-line.ts';
import { openPrivate } from './rejects-file.ts';

const standardOutput = 1;

/**
 * Writes every user as one line of JSON, as `latchkey users import` reads them; `-` is the standard
 * output. A file is for its owner alone.
 */
export async function usersExport(
  file: string,
  { passwordHashes = false }: { readonly passwordHashes?: boolean },
): Promise<void> {
  await withOpenLog(loadConfig(), 'latchkey users', async ({ cells, keyWrap }) => {
    const node = { cells, subjectKeys: new SubjectKeys({ keyWrap, cachedKeysMax: 1 }) };
    const progress = new ProgressLine(process.stderr);
    const counts = { users: 0, leftOut: 0 };
    const descriptor = file === '-' ? standardOutput : openPrivate(file);
    try {
      for await (const { user, leftOut } of exportUsers(node, { passwordHashes })) {
        writeSync(descriptor, `${JSON.stringify(user)}\n`);
        counts.users += 1;
        if (leftOut.length > 0) counts.leftOut += 1;
        progress.draw(null, `${counts.users} users`);
      }
    } finally {
      if (descriptor !== standardOutput) closeSync(descriptor);
      progress.clear();
    }
    console.error(`${counts.users} users exported`);
    if (counts.leftOut > 0) {
      console.error(
        `The roles latchkey:* of ${counts.leftOut} users are left out: grant them anew.`,
      );
    }
  });
}
