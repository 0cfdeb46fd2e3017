import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A network that can lose the answer to one chosen request, after the server has done what was asked. */
export interface TcpProxy {
  readonly url: string;
  /** The answer to the next bytes that hold `text` is lost, and with it the connection. Resolves when that happened. */
  loseAnswerTo(text: string): Promise<void>;
  /** Cuts every connection there is, so that the next request needs a new one. */
  cutAll(): void;
  close(): Promise<void>;
}

interface Loss {
  readonly text: Buffer;
  readonly done: () => void;
}

/** Stands in front of the server that `target` (any URL with host and port) names. */
export async function openTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let armed: Loss | null = null;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let losing: Loss | null = null;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      if (armed !== null && bytes.includes(armed.text)) {
        losing = armed;
        armed = null;
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (losing === null) {
        client.write(bytes);
        return;
      }
      losing.done();
      client.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href.replace(/\/$/, ''),
    cutAll: () => {
      for (const socket of sockets) socket.destroy();
    },
    loseAnswerTo: (text) =>
      new Promise((resolve) => {
        armed = { text: Buffer.from(text, 'latin1'), done: resolve };
      }),
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
