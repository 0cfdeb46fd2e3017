import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { choosePort } from '../../src/platform/embedded-postgres/free-port.ts';
import { openConnection } from '../support/raw-connection.ts';
import { commandsOf } from './page.ts';

/** Beyond it a registry hangs. */
const installTimeoutMs = 240_000;
const cache = path.join(
  process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'),
  'latchkey-integrate',
);

export interface Service {
  readonly url: string;
  stop(): Promise<void>;
}

export interface ServiceOptions {
  /** Whose commands install and start it. */
  readonly page: string;
  readonly files: Readonly<Record<string, string>>;
  /** `PORT` is added. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Does what a page says: writes its files into an empty folder, installs, starts. Resolves when the
 * service accepts connections; throws what it printed when it ends instead, or what could not be
 * installed.
 */
export async function startService({ page, files, env }: ServiceOptions): Promise<Service> {
  const packages = await installed(page);
  const folder = mkdtempSync(path.join(tmpdir(), `latchkey-integrate-${page}-`));
  for (const name of readdirSync(packages)) {
    symlinkSync(path.join(packages, name), path.join(folder, name));
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  const port = await choosePort('');
  // A group of its own: `go run` starts the service as a child.
  const child = spawn('bash', ['-ec', commandsOf(page).start], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited(), ...env, PORT: String(port) },
  });
  const said: string[] = [];
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (text) => said.push(String(text)));
  }
  const exited = once(child, 'exit');
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await accepting(child, port);
  } catch {
    await stop();
    throw new Error(`the service of ${page}.md did not start: ${said.join('')}`);
  }
  return { url: `http://127.0.0.1:${port}`, stop };
}

async function accepting(child: ChildProcess, port: number): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    try {
      (await openConnection(port)).destroy();
      return;
    } catch (error) {
      if (child.exitCode !== null || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/**
 * The folder in which the install command of a page has run. It is kept for the next run on this
 * machine, under a name that changes with the command.
 */
async function installed(page: string): Promise<string> {
  const { install } = commandsOf(page);
  const digest = createHash('sha256').update(install).digest('hex').slice(0, 12);
  const folder = path.join(cache, `${page}-${digest}`);
  const complete = path.join(folder, '.complete');
  if (existsSync(complete)) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    await promisify(execFile)('bash', ['-ec', install], {
      cwd: folder,
      env: inherited(),
      timeout: installTimeoutMs,
    });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(
      `what ${page}.md installs could not be had (Python and Go: run test/integrate/install): ` +
        (stderr ?? String(error)),
    );
  }
  writeFileSync(complete, '');
  return folder;
}

/** On this Node, without what npm gives to its scripts. */
function inherited(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_package'));
  const PATH = [path.dirname(process.execPath), process.env.PATH].join(path.delimiter);
  return { ...Object.fromEntries(kept), PATH, GOTOOLCHAIN: 'auto' };
}
