import { importsOf, resolved, sourceFiles } from './source-files.ts';

/** The folders of test/ that `npm run test:full` runs. */
export const slowTiers = [
  'browser',
  'integrate',
  'model',
  'fault',
  'processes',
  'gateways',
  'packages',
  'redis',
  'security-timing',
  'stress',
] as const;

/**
 * Files of the slow tiers that wait most of their time, for processes and timers, and state no
 * figure: two of them run at once, and every other file alone.
 */
export const waitingTests = [
  'test/fault/migrate-waits.test.ts',
  'test/fault/synchronous-standby.test.ts',
  'test/packages/packages.test.ts',
  'test/processes/embedded-postgres.test.ts',
  'test/processes/start-failures.test.ts',
  'test/redis/readiness.test.ts',
];

const cluster = 'test/support/cluster.ts';

export function isSlow(path: string): boolean {
  return slowTiers.some((tier) => path.startsWith(`test/${tier}/`));
}

/**
 * The test files of the normal tier that reach the run's cluster by no import: they pass without
 * Postgres, so `npm run test:quick` need not start one.
 */
export function quickTests(): string[] {
  const files = new Map(sourceFiles('test').map((file) => [file.path, file]));
  const reachesCluster = (start: string): boolean => {
    const seen = new Set([start]);
    for (const path of seen) {
      const file = files.get(path);
      if (file === undefined) continue;
      for (const { from, typeOnly } of importsOf(file)) {
        const target = typeOnly ? null : resolved(path, from);
        if (target !== null) seen.add(target);
      }
    }
    return seen.has(cluster);
  };
  return [...files.keys()].filter(
    (path) => path.endsWith('.test.ts') && !isSlow(path) && !reachesCluster(path),
  );
}
