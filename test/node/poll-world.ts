import { LogGuard } from '../../src/eventlog/log-guard.ts';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import { NodeMemory } from '../../src/node/node-memory.ts';
import { RevocationPoll } from '../../src/node/revocation-poll.ts';
import { createPools } from '../../src/platform/postgres/pool.ts';
import type { TestApi } from '../support/api.ts';
import { silentLogger } from '../support/cluster.ts';

type Statement = { text: string; values?: unknown[] };
type Rows = Record<string, unknown>[];

/** What stands between a poll and its Postgres; both may throw. */
export interface Between {
  readonly before?: (text: string, values: readonly unknown[]) => Promise<void> | void;
  readonly after?: (text: string, rows: Rows) => Rows;
}

/** Polls when the test says so. */
const hardlyEverMs = 3_600_000;

/** A revocation poll beside those of `api`, on the same database, whose statements a test sees. */
export function pollBeside(api: TestApi, intervalMs = hardlyEverMs, pageRows?: number) {
  const { config, keyWrap, cells } = api.node;
  const pools = createPools({
    databaseUrl: api.database.appUrl,
    readers: 1,
    applicationName: 'test',
    logger: silentLogger,
  });
  const connection = pools.dedicated('test poll');
  const world = {
    memory: new NodeMemory(config),
    guard: new LogGuard(),
    between: {} as Between,
    statements: [] as string[],
    lines: [] as { level: string; fields: Record<string, unknown>; message: string }[],
  };
  const logs = (level: string) => (fields: object | string, message?: string) => {
    const said = typeof fields === 'string' ? { message: fields, fields: {} } : { fields, message };
    world.lines.push({ level, ...said } as (typeof world.lines)[number]);
  };
  const query = async (client: Queryable, statement: Statement) => {
    world.statements.push(statement.text);
    await world.between.before?.(statement.text, statement.values ?? []);
    const result = await client.query(statement);
    return { rows: world.between.after?.(statement.text, result.rows) ?? result.rows };
  };
  const poll = new RevocationPoll({
    connection: {
      use: (work, options) =>
        connection.use(
          (client) =>
            work({ query: (statement: Statement) => query(client, statement) } as Queryable),
          options,
        ),
      get generation() {
        return connection.generation;
      },
      close: () => connection.close(),
    },
    memory: world.memory,
    keyWrap,
    seal: cells.home.readers.seal,
    intervalMs,
    ...(pageRows === undefined ? {} : { pageRows }),
    guard: world.guard,
    log: { warn: logs('warn'), info: logs('info'), error: logs('error') },
  });
  const stop = async () => {
    await poll.stop();
    await pools.end();
  };
  return Object.assign(world, { poll, stop });
}

export type PollWorld = ReturnType<typeof pollBeside>;
