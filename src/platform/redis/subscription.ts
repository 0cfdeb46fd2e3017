import { connectRedis } from './connection.ts';

interface SubscriptionOptions {
  readonly url: string;
  readonly name: string;
  readonly channel: string;
  /** What anybody who reaches Redis has published there. */
  readonly onMessage: (message: string) => void;
}

const pingMs = 1_000;

/**
 * Listens to a channel on a connection of its own, which comes back by itself: a message may get
 * lost at any time. A silent server is noticed by an unanswered ping.
 */
export function subscribeTo(options: SubscriptionOptions): { close(): void } {
  const redis = connectRedis(options);
  const ignore = () => {};
  // That Redis is away is said by the process's link.
  redis.on('error', ignore);
  redis.on('ready', () => void redis.subscribe(options.channel).catch(ignore));
  redis.on('message', (_channel: string, message: string) => options.onMessage(message));
  const timer = setInterval(() => void redis.ping().catch(ignore), pingMs);
  timer.unref();
  return {
    close: () => {
      clearInterval(timer);
      redis.disconnect();
    },
  };
}
