import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';

/**
 * `npm run test:repeat -- --times 10 --busy 5`: runs `npm test` so often in a row, beside so many
 * processes that do nothing but compute, and says of each run how it ended. Fails when one is red.
 */
const { values: flags } = parseArgs({
  options: {
    times: { type: 'string', default: '10' },
    busy: { type: 'string', default: '0' },
  },
});

const busy: ChildProcess[] = Array.from({ length: Number(flags.busy) }, () =>
  spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
);
/** Whether it was green. */
function runTests(run: number): boolean {
  const startedAt = Date.now();
  const { status, stdout } = spawnSync('npm', ['test'], { encoding: 'utf8' });
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  const lines = stdout.trim().split('\n');
  const loads = loadavg().map((load) => load.toFixed(1));
  console.info(`run ${run}: ${lines.at(-1)}; ${seconds} s; load ${loads.join(', ')}`);
  if (status === 0) return true;
  console.info(lines.filter((line) => /×|AssertionError/.test(line)).join('\n'));
  return false;
}

const runs = Array.from({ length: Number(flags.times) }, (_, index) => index + 1);
const red = runs.filter((run) => !runTests(run));
for (const each of busy) each.kill();
if (red.length > 0) process.exitCode = 1;
