import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** The address of a cluster that stays while its primary changes. */
export interface FailoverProxy {
  readonly url: string;
  /** Ends every connection; new ones lead to this server from now on, or nowhere. */
  switchTo(target: string | null): void;
  close(): Promise<void>;
}

export async function openFailoverProxy(target: string): Promise<FailoverProxy> {
  const sockets = new Set<Socket>();
  let port: number | null = Number(new URL(target).port);
  const endAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((near) => {
    if (port === null) {
      near.destroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    switchTo: (next) => {
      port = next === null ? null : Number(new URL(next).port);
      endAll();
    },
    close: async () => {
      server.close();
      endAll();
      await once(server, 'close');
    },
  };
}
