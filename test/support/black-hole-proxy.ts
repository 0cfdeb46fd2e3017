import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A network that keeps every connection open, accepts new ones, and can lose every byte. */
export interface BlackHoleProxy {
  readonly url: string;
  swallow(on: boolean): void;
  /** Loses every byte from the first statement on that has `text`. */
  swallowFrom(text: string): void;
  /** How many connections came so far. */
  readonly accepted: number;
  close(): Promise<void>;
}

export async function openBlackHoleProxy(target: string): Promise<BlackHoleProxy> {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let swallowing = false;
  let accepted = 0;
  let trigger: string | null = null;
  const server = createServer((near) => {
    accepted += 1;
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => {
        if (trigger !== null && bytes.includes(trigger)) swallowing = true;
        if (!swallowing) to.write(bytes);
      });
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    get accepted() {
      return accepted;
    },
    swallowFrom: (text) => {
      trigger = text;
    },
    swallow: (on) => {
      trigger = null;
      swallowing = on;
    },
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
