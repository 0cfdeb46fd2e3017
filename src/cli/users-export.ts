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
 * output. A file is for its owner alone. The exit code is 2 when a user had to be left out; the file
 * stays.
 */
export async function usersExport(
  file: string,
  { passwordHashes = false }: { readonly passwordHashes?: boolean },
): Promise<void> {
  await withOpenLog(loadConfig(), 'latchkey users', async ({ cells, keyWrap }) => {
    const node = { cells, subjectKeys: new SubjectKeys({ keyWrap, cachedKeysMax: 1 }) };
    const progress = new ProgressLine(process.stderr);
    const counts = { users: 0, withRoles: 0, withFactors: 0, leftOut: 0 };
    const descriptor = file === '-' ? standardOutput : openPrivate(file);
    try {
      for await (const { users, leftOut } of exportUsers(node, { passwordHashes })) {
        for (const { user } of users) writeSync(descriptor, `${JSON.stringify(user)}\n`);
        counts.users += users.length;
        counts.withRoles += users.filter(({ rolesLeftOut }) => rolesLeftOut.length > 0).length;
        counts.withFactors += users.filter((user) => user.secondFactorLeftOut).length;
        counts.leftOut += leftOut;
        progress.draw(null, `${counts.users} users`);
      }
    } finally {
      if (descriptor !== standardOutput) closeSync(descriptor);
      progress.clear();
    }
    report(file, counts);
  });
}

interface ExportCounts {
  readonly users: number;
  readonly withRoles: number;
  readonly withFactors: number;
  readonly leftOut: number;
}

function report(file: string, { users, withRoles, withFactors, leftOut }: ExportCounts): void {
  console.error(`${users} users exported`);
  if (withRoles > 0) {
    console.error(`The roles latchkey:* of ${withRoles} users are left out: grant them anew.`);
  }
  if (withFactors > 0) {
    console.error(
      `${withFactors} users have a second factor, which no file holds: where you import them, ` +
        'the password alone logs them in until they enrol anew.',
    );
  }
  if (leftOut === 0) return;
  console.error(
    `${leftOut} users are left out, because their rows are not as Latchkey wrote them, or their ` +
      `subject keys are gone. ${file === '-' ? 'The output' : file} holds the others.`,
  );
  process.exitCode = 2;
}
