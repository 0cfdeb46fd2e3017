import { Redis } from 'ioredis';

/** Latchkey waits so long for an answer before it gives the connection up. */
const silenceMs = 2_000;
const answerMs = 1_000;
const retryMs = { first: 50, most: 1_000 } as const;

interface ConnectionOptions {
  readonly url: string;
  /** Shown by `CLIENT LIST`, for example `latchkey-serve`. */
  readonly name: string;
}

/**
 * A connection that comes back by itself and keeps no command for later: while there is none, and
 * for those under way when it breaks, the answer is an error. It speaks RESP2, which every server
 * and proxy knows. Listen to its `error` event.
 */
export function connectRedis({ url, name }: ConnectionOptions): Redis {
  return new Redis(url, {
    connectionName: name,
    protocol: 2,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    connectTimeout: silenceMs,
    commandTimeout: answerMs,
    socketTimeout: silenceMs,
    keepAlive: 10_000,
    // Some of the delay is random: not all nodes come back at the same moment.
    retryStrategy: (tries) =>
      Math.min(retryMs.most, retryMs.first * 2 ** Math.min(tries, 8)) * (0.5 + Math.random() / 2),
  });
}
