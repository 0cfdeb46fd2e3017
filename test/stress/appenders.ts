import { randomUUID } from 'node:crypto';
import pg from 'pg';

export interface Load {
  /** Commits that were acknowledged. */
  readonly committed: number;
  stop(): Promise<void>;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Appends in ways that a tail may stumble over: transactions that stay open after the append, rollbacks, other writes
 * before the append, several streams. Errors of a server that went away are what the test wants, and are retried.
 */
export function startAppenders(url: () => string, appenders: number): Load {
  let committed = 0;
  let stopped = false;
  const appendForEver = async (number: number) => {
    const streams = Array.from({ length: 4 }, () => randomUUID());
    while (!stopped) {
      const client = new pg.Client({ connectionString: url() });
      client.on('error', () => {});
      try {
        await client.connect();
        while (!stopped) {
          if (await appendOnce(client, streams, number)) committed += 1;
          if (Math.random() < 0.2) await pause(Math.random() * 20);
        }
      } catch {
        await pause(5);
      }
      await client.end().catch(() => {});
    }
  };
  const running = Promise.all(Array.from({ length: appenders }, (_, n) => appendForEver(n)));
  return {
    get committed() {
      return committed;
    },
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}

async function appendOnce(
  client: pg.Client,
  streams: readonly string[],
  number: number,
): Promise<boolean> {
  const way = Math.random();
  await client.query('begin');
  if (way < 0.15) {
    await client.query(
      `insert into latchkey.checkpoints
       values ($1, '00000000-0000-0000-0000-000000000000', gen_random_uuid(), 0, now())
       on conflict (consumer, log_id) do update set updated_at = now()`,
      [`stress ${number}`],
    );
    await client.query('select pg_sleep(0.005)');
  }
  await client.query(appendStatement(streams[Math.floor(Math.random() * streams.length)]!));
  if (way > 0.8) await client.query('select pg_sleep(random() * 0.03)');
  const rolledBack = way > 0.4 && way < 0.5;
  await client.query(rolledBack ? 'rollback' : 'commit');
  return !rolledBack;
}

/** One event through the function that the service uses. */
export function appendStatement(streamId: string): pg.QueryConfig {
  return {
    name: 'stress-append',
    text: `select latchkey.append(array[0], array[$1::uuid], array[1::smallint], array[null::uuid],
      array[-2], array[null::bigint], array[false], array[1], array['UserEnabled'],
      array[1::smallint], array['{}'::jsonb], array[null::bytea], array['{}'::jsonb], '{}')`,
    values: [streamId],
  };
}
