import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { waitingTests } from './tiers.ts';

const vitest = path.resolve('node_modules/vitest/vitest.mjs');

/** Runs Vitest on the slow tiers; answers whether all of it passed. */
function passes(...options: readonly string[]): boolean {
  const args = [vitest, 'run', '--project', 'full', ...options];
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status === 0;
}

const alone = passes(...waitingTests.flatMap((file) => ['--exclude', file]));
const beside = passes('--fileParallelism', '--maxWorkers=2', ...waitingTests);
if (!alone || !beside) process.exitCode = 1;
