import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { choosePort } from '../../src/platform/embedded-postgres/free-port.ts';
import { openConnection } from '../support/raw-connection.ts';

const examples = path.resolve(import.meta.dirname, '../../examples/gateways');

export interface Gateway {
  readonly port: number;
  stop(): Promise<void>;
}

export interface GatewayOptions {
  /** The program and its arguments, run in a copy of `examples/gateways/`. */
  readonly command: (folder: string) => readonly string[];
  readonly latchkeyPort: number;
  readonly applicationPort: number;
  /** A change to one file of the example, for what the example warns of. */
  readonly change?: (folder: string) => void;
}

/**
 * Starts a real gateway with the files of `examples/gateways/` as they stand, but for the ports.
 * Resolves when it accepts connections; throws what it printed when it ends instead.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const port = await choosePort('');
  const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-gateway-'));
  cpSync(examples, folder, { recursive: true });
  options.change?.(folder);
  const ports = { 8000: port, 3333: options.latchkeyPort, 8080: options.applicationPort };
  for (const file of readdirSync(folder)) changePorts(path.join(folder, file), ports);
  const [program, ...args] = options.command(folder);
  const child = spawn(program!, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (text) => {
      said += text;
    });
  }
  const exited = once(child, 'exit');
  child.on('error', (error) => {
    said += error.message;
  });
  await accepting(child, port, () => said);
  return {
    port,
    stop: async () => {
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 3_000);
      await exited;
      clearTimeout(hard);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function changePorts(file: string, ports: Readonly<Record<string, number>>): void {
  const text = readFileSync(file, 'utf8');
  writeFileSync(
    file,
    // Envoy writes address and port apart.
    text.replaceAll(/(127\.0\.0\.1:|port_value: )(8000|3333|8080)\b/g, (_, before, port) => {
      return `${before}${ports[port]}`;
    }),
  );
}

async function accepting(child: ChildProcess, port: number, said: () => string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    if (child.exitCode !== null || child.pid === undefined || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`the gateway did not start: ${said()}`);
    }
    try {
      (await openConnection(port)).destroy();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
