import { defineConfig } from 'vitest/config';

const slowTiers = ['model', 'fault', 'gateways', 'security-timing', 'stress'].map(
  (tier) => `test/${tier}/**/*.test.ts`,
);

const shared = {
  environment: 'node' as const,
  globalSetup: ['test/support/cluster.ts'],
  pool: 'forks' as const,
  // Tests wait for Postgres and for hashes as much as they compute: one worker a core.
  maxWorkers: '100%' as const,
  // How long a test waits for a condition is no claim about the product: a loaded machine is slow.
  expect: { poll: { timeout: 15_000 } },
};

/** `npm test` runs the project `normal`, `npm run test:full` the slow tiers, one file at a time. */
export default defineConfig({
  test: {
    reporters: ['default', './test/support/closing-line.ts'],
    projects: [
      {
        test: {
          ...shared,
          name: 'normal',
          include: ['test/**/*.test.ts'],
          exclude: slowTiers,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...shared,
          name: 'full',
          include: slowTiers,
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
