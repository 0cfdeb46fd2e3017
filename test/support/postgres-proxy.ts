import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A network between client and server that can lose an answer. */
export interface PostgresProxy {
  readonly url: string;
  /** The next bytes of the server are lost, and the connection: it has done what was asked. */
  loseNextAnswer(): void;
  readonly answersLost: number;
  close(): Promise<void>;
}

export async function openPostgresProxy(target: string): Promise<PostgresProxy> {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let losing = false;
  let answersLost = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on('data', (bytes) => {
      if (!losing) {
        client.write(bytes);
        return;
      }
      losing = false;
      answersLost += 1;
      client.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    loseNextAnswer: () => {
      losing = true;
    },
    get answersLost() {
      return answersLost;
    },
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
