import { ConfigError } from '../config/config-error.ts';

interface Database {
  query(statement: { text: string }): Promise<{ rows: Record<string, unknown>[] }>;
}

// Of the cluster and, within it, of the database: names are the same on many servers.
const identity = `select (select system_identifier::text from pg_control_system()) || '/' || oid as id
  from pg_database where datname = current_database()`;

/**
 * Refuses a DATABASE_DIRECT_URL that leads elsewhere than DATABASE_URL: revocations would be read
 * from one log and written to another. Throws ConfigError.
 */
export async function requireSameDatabase(pooled: Database, direct: Database): Promise<void> {
  const [expected, actual] = await Promise.all(
    [pooled, direct].map(
      async (database) => (await database.query({ text: identity })).rows[0]!.id,
    ),
  );
  if (actual === expected) return;
  const message = 'leads to another database than DATABASE_URL: both must name the same one';
  throw new ConfigError([{ variable: 'DATABASE_DIRECT_URL', message }]);
}
