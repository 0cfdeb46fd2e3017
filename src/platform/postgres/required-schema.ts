import { sqlState } from './errors.ts';
import { expectedSchemaVersion, schemaVersion } from './migrate.ts';
import { migrationsDirectory } from './migration-files.ts';

/** The database lacks what this release needs; the message says what to run. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}

const insufficientPrivilege = '42501';

/**
 * Refuses a database that `migrate` has not brought to this release, and a role that `migrate` has
 * granted nothing. Throws SchemaError.
 */
export async function requireSchema(database: {
  query(statement: { text: string }): Promise<{ rows: unknown[] }>;
}): Promise<void> {
  const expected = expectedSchemaVersion(migrationsDirectory);
  const actual = await schemaVersion({ query: (text) => database.query({ text }) }).catch(
    (error: unknown) => {
      if (sqlState(error) !== insufficientPrivilege) throw error;
      throw new SchemaError(
        'The role of DATABASE_URL may not read the schema of Latchkey: name it in DATABASE_APP_ROLE and run `latchkey migrate`, or give DATABASE_URL the role that was granted.',
        { cause: error },
      );
    },
  );
  if (actual >= expected) return;
  throw new SchemaError(
    actual === 0
      ? 'The database of DATABASE_URL is not migrated: run `latchkey migrate` first.'
      : `The database of DATABASE_URL is at schema version ${actual} and this release needs ${expected}: run \`latchkey migrate\` first.`,
  );
}
