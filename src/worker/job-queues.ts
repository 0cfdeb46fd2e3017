import { PgBoss } from 'pg-boss';
import { jobSchemaName } from './job-schema.ts';

/**
 * A way to the queues for somebody who works on none of them. End it with `stop({ graceful: false })`.
 * `onError` hears of a lost connection: the call that fails says the same.
 */
export async function openJobQueues(
  databaseUrl: string,
  onError: (error: Error) => void = () => {},
): Promise<PgBoss> {
  const boss = new PgBoss({
    connectionString: databaseUrl,
    application_name: 'latchkey jobs',
    schema: jobSchemaName,
    max: 1,
    migrate: false,
    createSchema: false,
    supervise: false,
    schedule: false,
  });
  boss.on('error', onError);
  await boss.start();
  return boss;
}
