import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../worker/eventually.ts';

const root = path.resolve(import.meta.dirname, '../..');
let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-npm-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

/** Every process that works in the data directory, or descends from `npm`. */
function left(npm: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(Number.isInteger)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(dataDir) || groupOf(pid) === npm;
      } catch {
        return false;
      }
    });
}

function groupOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
}

// Fails when the script's shell stays between npm and the service: it passes no signal on.
it.each(['SIGTERM', 'SIGINT'] as const)(
  'B4: given %s to `npm start`, node and Postgres end too, in good order',
  async (signal) => {
    const lines: string[] = [];
    const npm: ChildProcess = spawn('npm', ['start'], {
      cwd: root,
      env: { PATH: process.env.PATH, PORT: '0', METRICS_PORT: '0', DATA_DIR: dataDir },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    const exited = once(npm, 'exit');
    createInterface({ input: npm.stdout! }).on('line', (line) => lines.push(line));
    await eventually(async () => lines.some((line) => line.includes('"msg":"ready"')), 60_000);
    expect(left(npm.pid!).length).toBeGreaterThan(2);
    process.kill(npm.pid!, signal);
    await exited;
    await eventually(async () => left(npm.pid!).length === 0, 30_000);
    expect(lines.some((line) => line.includes('"msg":"stopped"'))).toBe(true);
  },
  120_000,
);
