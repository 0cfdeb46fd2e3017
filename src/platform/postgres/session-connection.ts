import type pg from 'pg';
import { ConfigError } from '../config/config-error.ts';
import { withOwnClient } from './own-client.ts';

const rounds = 5;

/**
 * Refuses a connection behind which a pooler hands out another Postgres session for each
 * transaction: session locks would stay with nobody, and temporary tables would vanish. A pooler
 * that keeps the session is fine. Throws ConfigError.
 */
export async function refuseTransactionPooler(client: pg.Client, url: string): Promise<void> {
  const backend = await backendPid(client);
  // A pooler invents the number under which its clients may cancel; Postgres gives that of the
  // session.
  if ((client as unknown as { processID: number | null }).processID === backend) return;
  await withOwnClient({ url, applicationName: 'latchkey probe' }, async (other) => {
    for (let round = 0; round < rounds; round++) {
      // Where each connection has a session of its own, these never change and never meet.
      if ((await backendPid(other)) === backend || (await backendPid(client)) !== backend) {
        const message =
          'must lead past the pooler: it gives each transaction another session of Postgres (transaction pooling), and this command needs one that is its own';
        throw new ConfigError([{ variable: 'DATABASE_DIRECT_URL', message }]);
      }
    }
  });
}

async function backendPid(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]!.pid;
}
