import { expect, it } from 'vitest';
import { openTestLog } from '../support/event-log.ts';
import { startSession } from '../support/session-commands.ts';
import { readText } from '../support/source-files.ts';

const blocks = (page: string) =>
  [...page.matchAll(/```sql\n([^`]+)```/g)].map(([, statements]) => statements!);

// Fails when the page leaves out a statement or its locks, or the migrations take another one.
it('the migrations that docs/architecture.md shows leave every projection compiled', async () => {
  const log = await openTestLog();
  const [, added] = readText('docs/architecture.md').split('## How to add');
  const migrations = blocks(added!);
  expect(migrations).toHaveLength(2);

  for (const migration of migrations) {
    expect(migration).toMatch(/^(?:--.*\n)*-- Locks: /);
    await log.owner.query(migration);
  }

  const { rows } = await log.owner.query('select latchkey.uncompiled_projections()');
  expect(rows).toEqual([]);
  await log.writer.append(startSession().command);
  await log.close();
});
