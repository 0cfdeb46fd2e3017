import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

export interface DirectoryLock {
  release(): void;
}

const sqliteBusy = 5;

/**
 * Takes an exclusive lock on `file`, or returns undefined while another process holds it. The lock
 * is one of the kernel's (SQLite's file lock), so it is gone the moment its holder dies, however it
 * dies; a pid in a file is not.
 */
function acquireDirectoryLock(file: string): DirectoryLock | undefined {
  closeSync(openSync(file, 'a', 0o600));
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === sqliteBusy) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}

const dyingMs = 1_000;

/**
 * The same, but waits for a holder that was killed: the last of its threads, and with it the lock,
 * may go a moment after the process looks dead.
 */
export async function awaitDirectoryLock(file: string): Promise<DirectoryLock | undefined> {
  const deadline = performance.now() + dyingMs;
  for (;;) {
    const lock = acquireDirectoryLock(file);
    if (lock !== undefined || performance.now() > deadline) return lock;
    await delay(20);
  }
}
