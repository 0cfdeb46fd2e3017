import type { Registry } from 'prom-client';
import type { LogGuard } from '../../eventlog/log-guard.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import { connectLeader } from '../leader-connection.ts';
import { lagBehindLog } from '../log-lag.ts';
import { openCheckpoint, readCheckpoint } from './checkpoint.ts';
import { mailOutboxMetrics } from './metrics.ts';
import { MailOutbox, type MailOutboxOptions } from './outbox.ts';

export interface MailOutboxParts extends Pick<MailOutboxOptions, 'enqueue' | 'onQueued' | 'log'> {
  /** Past any pooler. */
  readonly databaseUrl: string;
  readonly guard: LogGuard;
  readonly readers: Queryable;
  readonly registry: Registry;
}

const lookMs = 5_000;

/**
 * Follows the log, on one connection of its own. Once it resolves, no mail is missed: what happens
 * later lies behind the checkpoint, also before there is a connection that reads it.
 */
export async function startMailOutbox(parts: MailOutboxParts): Promise<{
  readonly isInTrouble: () => boolean;
  stop(): Promise<void>;
}> {
  const { databaseUrl, guard, readers, registry, log } = parts;
  await openCheckpoint(readers, guard.logName, log);
  const metrics = mailOutboxMetrics(registry);
  const connect = () => connectLeader(databaseUrl, 'latchkey mail outbox');
  const outbox = new MailOutbox({ ...parts, connect, metrics });
  // On every worker and from the log's side: it grows also when nobody follows the log.
  const look = async () => {
    const checkpoint = await readCheckpoint(readers, guard.logName);
    if (checkpoint !== null) {
      metrics.lagSeconds.set((await lagBehindLog(readers, checkpoint)).seconds);
    }
  };
  // Where Postgres is away its own metrics say so, and the figure stays.
  const timer = setInterval(() => void look().catch(() => {}), lookMs);
  timer.unref();
  outbox.start();
  return {
    isInTrouble: () => outbox.isInTrouble,
    stop: async () => {
      clearInterval(timer);
      await outbox.stop();
    },
  };
}
