import type { Registry } from 'prom-client';
import type { LogName } from '../eventlog/log-identity.ts';
import { newId } from '../platform/crypto/new-id.ts';
import { RedisLink, type RedisLinkOptions } from '../platform/redis/link.ts';
import { redisUp } from './redis-metrics.ts';
import { listenForWakeUps, WakeUps } from './wake-ups.ts';

export interface NodeRedisOptions {
  readonly part: 'serve' | 'worker';
  readonly log: RedisLinkOptions['log'];
  readonly registry: Registry;
  readonly logName: LogName;
}

/** What a process has of Redis. None of it waits for Redis at the start. */
export interface NodeRedis {
  readonly link: RedisLink;
  readonly wakeUps: WakeUps;
  /** Calls `onHint` when another process of the log has revoked something. */
  listen(onHint: () => void): void;
  /** `redis` while it cannot be used. */
  degraded(): readonly string[];
  close(): void;
}

/** Null without a URL. */
export function openRedis(
  url: string | undefined,
  { part, log, registry, logName }: NodeRedisOptions,
): NodeRedis | null {
  if (url === undefined) return null;
  const up = redisUp(registry);
  const name = `latchkey-${part}`;
  const onChange = (usable: boolean) => up.set({ part }, usable ? 1 : 0);
  const link = new RedisLink({ url, name, log, onChange });
  const wakeUps = new WakeUps({ link, processId: newId(), log: logName });
  const closing: { close(): void }[] = [link];
  return {
    link,
    wakeUps,
    listen: (onHint) => {
      closing.push(listenForWakeUps(wakeUps, { url, name: `${name}-wake`, onHint }));
    },
    degraded: () => (link.failure === null ? [] : ['redis']),
    close: () => {
      for (const connection of closing) connection.close();
    },
  };
}
