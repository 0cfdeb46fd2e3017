import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { startTestApi } from '../support/api.ts';

/** What reached the application. */
export interface Arrival {
  readonly method: string;
  readonly url: string;
  /** Every header as it was written, names in lower case, with underscores read as hyphens. */
  readonly headers: readonly (readonly [string, string])[];
  readonly bodyBytes: number;
}

export interface World {
  /** Where a gateway asks: Latchkey, or what `breakDown` put in its place. */
  readonly latchkeyPort: number;
  readonly applicationPort: number;
  /** What reached the application since the last look. */
  arrivals(): Arrival[];
  readonly plain: { readonly token: string; readonly id: string };
  readonly admin: { readonly token: string; readonly id: string };
  /** Until `repair`, gateways meet this status, or nobody at all. */
  breakDown(status: number | 'down'): void;
  repair(): void;
  stop(): Promise<void>;
}

/** Latchkey, a user without roles, one with the role `admin`, and an application that tells. */
export async function startWorld(): Promise<World> {
  const api = await startTestApi();
  const operator = (await api.admin()).access_token;
  const user = async (role?: string) => {
    const { email, id } = await api.register();
    if (role !== undefined) {
      await api.call('PUT', `/admin/users/${id}/roles/${role}`, { token: operator });
    }
    return { token: (await api.logIn({ email })).access_token as string, id };
  };
  const arrivals: Arrival[] = [];
  const application = await startApplication(arrivals);
  let broken: number | 'down' | null = null;
  const answering = await listening(
    createServer((request, response) => {
      request.resume();
      response.writeHead(Number(broken), { 'X-Auth-Roles': 'admin', Location: '/' }).end('broken');
    }),
  );
  const front = await openFront(() => {
    if (broken === null) return Number(new URL(api.url).port);
    return broken === 'down' ? null : portOf(answering);
  });
  return {
    latchkeyPort: front.port,
    applicationPort: portOf(application),
    arrivals: () => arrivals.splice(0),
    plain: await user(),
    admin: await user('admin'),
    breakDown: (status) => {
      broken = status;
      front.cut();
    },
    repair: () => {
      broken = null;
      front.cut();
    },
    stop: async () => {
      front.close();
      for (const server of [answering, application]) {
        server.closeAllConnections();
        server.close();
      }
      await api.stop();
    },
  };
}

async function startApplication(arrivals: Arrival[]): Promise<Server> {
  return listening(
    createServer((request, response) => {
      let bodyBytes = 0;
      request.on('data', (bytes: Buffer) => {
        bodyBytes += bytes.length;
      });
      request.on('end', () => {
        const headers: [string, string][] = [];
        for (let at = 0; at < request.rawHeaders.length; at += 2) {
          const name = request.rawHeaders[at]!.toLowerCase().replaceAll('_', '-');
          headers.push([name, request.rawHeaders[at + 1]!]);
        }
        const { method = '', url = '' } = request;
        arrivals.push({ method, url, headers, bodyBytes });
        response.setHeader('Content-Length', 2);
        response.end(method === 'HEAD' ? undefined : 'ok');
      });
    }),
  );
}

/** A port that leads where `target` says at the moment of connecting; null refuses. */
async function openFront(target: () => number | null) {
  const sockets = new Set<Socket>();
  const server = createTcpServer((client) => {
    const port = target();
    if (port === null) {
      client.destroy();
      return;
    }
    const upstream = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy()).on('close', () => sockets.delete(socket));
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    close: () => {
      cut();
      server.close();
    },
  };
}

async function listening(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
