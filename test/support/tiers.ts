import { importsOf, resolved, sourceFiles } from './source-files.ts';

/** The folders of test/ that `npm run test:full` runs, one file at a time. */
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
