import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { quickTests, slowTiers } from './test/support/tiers.ts';

const slow = slowTiers.map((tier) => `test/${tier}/**/*.test.ts`);

const shared = {
  environment: 'node' as const,
  pool: 'forks' as const,
  maxWorkers: '100%' as const,
  // How long a test waits for a condition is no claim about the product: a loaded machine is slow.
  expect: { poll: { timeout: 15_000 } },
};

const normal = {
  ...shared,
  // Tests wait for Postgres and for hashes a quarter of their time: three workers for two cores.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  // A worker keeps what it has imported. No module keeps state: a rule in test/tidy.test.ts.
  isolate: false,
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

/**
 * `npm test` runs the project `normal`, `npm run test:quick` that part of it which needs no
 * Postgres, `npm run test:full` the slow tiers (`test/support/run-full.ts`). The
 * project `full` runs one file at a time.
 */
export default defineConfig({
  test: {
    reporters: ['default', './test/support/closing-line.ts'],
    projects: [
      {
        test: {
          ...normal,
          name: 'normal',
          globalSetup: ['test/support/cluster.ts'],
          include: ['test/**/*.test.ts'],
          // What `npm run test:mutation` installs brings tests of its own.
          exclude: ['**/node_modules/**', ...slow],
        },
      },
      { test: { ...normal, name: 'quick', include: quickTests() } },
      {
        test: {
          ...shared,
          name: 'full',
          globalSetup: ['test/support/cluster.ts'],
          include: slow,
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
