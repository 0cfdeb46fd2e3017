import { expect, it } from 'vitest';
import { createEmptyDatabase, withClient } from '../support/postgres.ts';
import { readText } from '../support/source-files.ts';

// Fails when the page advises a setting that Postgres does not have.
it('F7: docs/postgres.md names settings of Postgres, those of the log among them', async () => {
  const page = readText('docs/postgres.md');
  const rows = [...page.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, names]) => names!.split(', '));
  const named = rows.map((name) => name.replaceAll('`', ''));
  const inText = [...page.matchAll(/`((?:max|idle|autovacuum)_\w+)`/g)].map(([, name]) => name!);
  const database = await createEmptyDatabase();
  const { rows: settings } = await withClient(database.ownerUrl, (client) =>
    client.query<{ name: string }>('select name from pg_settings'),
  );
  await database.drop();
  const existing = new Set(settings.map(({ name }) => name));

  expect([...named, ...inText].filter((name) => !existing.has(name))).toEqual([]);
  expect([...named, ...inText]).toEqual(
    expect.arrayContaining([
      'wal_compression',
      'max_wal_size',
      'autovacuum_freeze_max_age',
      'max_locks_per_transaction',
    ]),
  );
});
