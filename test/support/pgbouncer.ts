import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from './fault-node.ts';
import { freePort } from './free-port.ts';

export interface PgBouncer {
  readonly url: string;
  stop(): Promise<void>;
}

const nobody = 65_534;

/** A real PgBouncer in front of `target`, which refuses to be root. Default: transaction mode. */
export async function startPgBouncer(
  target: string,
  { preparedStatements, mode = 'transaction', program = '/usr/local/bin/pgbouncer' }: Options,
): Promise<PgBouncer> {
  const { hostname, port: serverPort, username, password } = new URL(target);
  const directory = mkdtempSync(path.join(tmpdir(), 'latchkey-pgbouncer-'));
  chmodSync(directory, 0o755);
  const port = await freePort();
  const file = (name: string, text: string) => {
    writeFileSync(path.join(directory, name), text);
    return path.join(directory, name);
  };
  const users = file('users.txt', `"${username}" "${decodeURIComponent(password)}"\n`);
  const settings = file(
    'pgbouncer.ini',
    `[databases]\n* = host=${hostname} port=${serverPort}\n[pgbouncer]
listen_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\nauth_type = trust
auth_file = ${users}\npool_mode = ${mode}\ndefault_pool_size = 8
${preparedStatements === null ? '' : `max_prepared_statements = ${preparedStatements}`}\n`,
  );
  const asRoot = process.getuid?.() === 0;
  const child = spawn(program, [settings], {
    stdio: 'ignore',
    ...(asRoot ? { uid: nobody, gid: nobody } : {}),
  });
  const exited = once(child, 'exit');
  await until(() => answers(port), 10_000);
  const url = new URL(target);
  url.port = String(port);
  return {
    url: url.href,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
      rmSync(directory, { recursive: true });
    },
  };
}

interface Options {
  /** `max_prepared_statements`; 0 is what releases before 1.21 do. Null: left out. */
  readonly preparedStatements: number | null;
  readonly mode?: 'transaction' | 'session';
  readonly program?: string;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
