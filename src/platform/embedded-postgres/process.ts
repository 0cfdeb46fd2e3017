import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Postgres' shutdown signals, from polite to final, and how long each may take. */
const shutdown = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGQUIT', waitMs: 5000 },
  { signal: 'SIGKILL', waitMs: 5000 },
] as const;

/**
 * Stops the server with this pid, fast mode first, immediate mode when that takes too long, and
 * waits until none of its processes is left in the cluster directory. A stopped (SIGSTOP) server is
 * woken so that it can obey.
 */
export async function stopPostgres(pid: number, cluster: string): Promise<void> {
  for (const { signal, waitMs } of shutdown) {
    const deadline = Date.now() + waitMs;
    if (!send(pid, signal)) break;
    send(pid, 'SIGCONT');
    while (isAlive(pid) && Date.now() < deadline) await delay(10);
    if (!isAlive(pid)) break;
  }
  await stopBackends(cluster);
}

/**
 * Stops what a killed process left in the cluster directory. The caller holds the directory's lock,
 * so a server that runs there has no live owner. The pid file goes with it: Postgres would take a
 * zombie, or any process that has got its number, for a server that is alive. That process itself
 * is left alone.
 */
export async function stopOrphanedPostgres(
  cluster: string,
  logger: { info(fields: object, message: string): void },
): Promise<void> {
  const pidFile = path.join(cluster, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  if (Number.isInteger(pid) && pid > 0 && isAlive(pid) && isServerOf(pid, cluster)) {
    logger.info({ postgres_pid: pid }, 'stopping the Postgres that a killed process left behind');
    await stopPostgres(pid, cluster);
  } else {
    await stopBackends(cluster);
  }
  rmSync(pidFile, { force: true });
}

/**
 * Backends outlive a killed postmaster for a moment, and a new one refuses to start beside them.
 */
async function stopBackends(cluster: string): Promise<void> {
  for (const { signal, waitMs } of [{ signal: undefined, waitMs: 1000 }, ...shutdown.slice(1)]) {
    const deadline = Date.now() + waitMs;
    let left = processesIn(cluster);
    if (signal !== undefined) for (const pid of left) send(pid, signal);
    while (left.length > 0 && Date.now() < deadline) {
      await delay(10);
      left = processesIn(cluster);
    }
    if (left.length === 0) return;
  }
}

/**
 * Every Postgres process works in its cluster directory. Elsewhere than Linux Postgres' own check
 * remains.
 */
function processesIn(cluster: string): number[] {
  if (process.platform !== 'linux') return [];
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === cluster && !isZombie(pid);
    } catch {
      return false;
    }
  });
}

function isServerOf(pid: number, cluster: string): boolean {
  if (process.platform === 'linux') return processesIn(cluster).includes(pid);
  return commandLine(pid).some((argument) => argument === cluster);
}

function commandLine(pid: number): string[] {
  return spawnSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
    .stdout.trim()
    .split(' ');
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return true;
  }
}
