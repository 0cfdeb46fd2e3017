import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * The port of the last start when it is free, else a free one: connection strings in other
 * terminals stay good.
 */
export async function choosePort(portFile: string): Promise<number> {
  const kept = existsSync(portFile) ? Number(readFileSync(portFile, 'utf8').trim()) : 0;
  if (kept > 0 && kept < 65_536 && (await listenOnce(kept)) !== undefined) return kept;
  const free = await listenOnce(0);
  if (free === undefined) throw new Error('No free port on 127.0.0.1');
  return free;
}

function listenOnce(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address() as { port: number };
      server.close(() => resolve(address.port));
    });
  });
}
