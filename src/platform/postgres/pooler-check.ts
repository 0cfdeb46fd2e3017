import type pg from 'pg';
import { ConfigError } from '../config/config-error.ts';
import { sqlState } from './errors.ts';
import type { PostgresPool } from './pool.ts';

const statement = { name: 'pooler-check', text: 'select pg_backend_pid() as pid' };
const roundsMax = 5;
/** No such prepared statement; one of that name exists; a protocol violation. */
const forgetful = ['26000', '42P05', '08P01'];

/**
 * Refuses a pooler that hands a client's statements to several server processes and does not know
 * its prepared statements there: PgBouncer in transaction mode before 1.21, or without
 * `max_prepared_statements`. Each append would fail. `pool`: of two connections. Throws ConfigError.
 */
export async function requirePreparedStatements(pool: PostgresPool): Promise<void> {
  try {
    await pool.use(async (client) => {
      for (let round = 0; round < roundsMax; round += 1) {
        const { rows } = await client.query(statement);
        if (rows[0]!.pid === processOf(client)) return;
        if (await whileOccupied(pool, rows[0]!.pid, () => client.query(statement))) return;
      }
    });
  } catch (error) {
    if (!forgetful.includes(sqlState(error) ?? '')) throw error;
    const message =
      'leads through a pooler that forgets prepared statements: use PgBouncer 1.21 or newer with ' +
      'max_prepared_statements above 0, or pool_mode = session';
    throw new ConfigError([{ variable: 'DATABASE_URL', message }]);
  }
}

/** The server process that this client was told of when it connected; a pooler tells another. */
function processOf(client: pg.ClientBase): number | undefined {
  return (client as unknown as { processID?: number }).processID;
}

/** Runs `work` while another client holds the server process `pid`; false when it got another. */
function whileOccupied(
  pool: PostgresPool,
  pid: number,
  work: () => Promise<unknown>,
): Promise<boolean> {
  return pool.transaction(async (other) => {
    const { rows } = await other.query('select pg_backend_pid() as pid');
    if (rows[0]!.pid !== pid) return false;
    await work();
    return true;
  });
}
