import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import setup, { type TestCluster } from '../support/cluster.ts';
import { root } from '../support/source-files.ts';
import { type Part, parts } from './parts.ts';
import {
  type MutationReport,
  pageWith,
  type Result,
  resultOf,
  scoreMin,
  sectionOf,
} from './report.ts';

/**
 * `npm run test:mutation [-- <part> …]`: changes the sources of each part, one change at a time,
 * and lets its tests run. Fails when fewer than nine of ten changes make a test fail. Writes
 * what came out to `docs/mutation.md`.
 */
const here = import.meta.dirname;
const modules = path.join(here, 'node_modules');
const scratch = path.join(root, 'reports/mutation');

const isIncremental = process.env.MUTATION_INCREMENTAL !== undefined;

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => parts.every((part) => part.name !== name));
if (unknown.length > 0) throw new Error(`no part is called ${unknown}`);
const chosen = parts.filter(({ name }) => wanted.length === 0 || wanted.includes(name));

if (!existsSync(modules)) run('npm', ['ci'], here, {});
mkdirSync(scratch, { recursive: true });
const cluster = await clusterFor(chosen);
const results: Result[] = [];
try {
  for (const part of chosen) results.push(mutate(part));
} finally {
  await cluster?.stop();
}
console.info(results.map(sectionOf).join('\n'));
const page = path.join(root, 'docs/mutation.md');
writeFileSync(page, pageWith(readFileSync(page, 'utf8'), results));
if (results.some(({ score }) => score < scoreMin)) process.exitCode = 1;

function mutate(part: Part): Result {
  const file = path.join(scratch, `${part.name}.config.json`);
  const output = path.join(scratch, `${part.name}.json`);
  writeFileSync(file, JSON.stringify(optionsFor(part, output), null, 2));
  const startedAt = Date.now();
  const stryker = path.join(modules, '@stryker-mutator/core/bin/stryker.js');
  run(process.execPath, [stryker, 'run', file], root, {
    MUTATION_PART: part.name,
    ...(cluster === null ? {} : { MUTATION_CLUSTER: JSON.stringify(cluster.given) }),
  });
  const report = JSON.parse(readFileSync(output, 'utf8')) as MutationReport;
  const minutes = (Date.now() - startedAt) / 60_000;
  return resultOf(part.name, report, isIncremental ? null : minutes);
}

function optionsFor(part: Part, output: string) {
  return {
    testRunner: 'vitest',
    vitest: { configFile: 'test/mutation/vitest-config.ts' },
    plugins: [
      path.join(modules, '@stryker-mutator/vitest-runner/dist/src/index.js'),
      path.join(here, 'words-for-people.ts'),
    ],
    ignorers: ['words-for-people'],
    mutate: part.mutate,
    ignorePatterns: ['dist', 'reports', 'bench', 'grafana', 'examples', 'biome.json'],
    // Stryker would read it with TypeScript's JavaScript API, which TypeScript 7 does not have.
    tsconfigFile: 'none',
    coverageAnalysis: 'perTest',
    concurrency: availableParallelism(),
    timeoutMS: 20_000,
    incremental: true,
    incrementalFile: path.join(scratch, `${part.name}.incremental.json`),
    force: !isIncremental,
    reporters: ['progress-append-only', 'json'],
    jsonReporter: { fileName: output },
    thresholds: { high: 95, low: scoreMin, break: null },
  };
}

/** One Postgres for all workers: Stryker kills those that a change makes hang. */
async function clusterFor(
  some: readonly Part[],
): Promise<{ given: TestCluster; stop(): Promise<void> } | null> {
  if (!some.some(({ needsPostgres }) => needsPostgres)) return null;
  let given: TestCluster | undefined;
  const provide = (_: 'cluster', value: TestCluster) => {
    given = value;
  };
  const stop = await setup({ name: 'normal', provide });
  return { given: given!, stop };
}

function run(program: string, args: string[], cwd: string, env: Record<string, string>): void {
  const { status } = spawnSync(program, args, {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`${path.basename(program)} ended with ${status}`);
}
