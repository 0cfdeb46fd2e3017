import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { partOf } from './parts.ts';
import { QuickFirst } from './quick-first.ts';

const part = partOf(process.env.MUTATION_PART);
const packages = path.resolve(import.meta.dirname, '../../packages');

/** What Stryker runs in its copy of the repository. */
export default defineConfig({
  resolve: {
    // The copy shares node_modules, and with it links to the packages that are not mutated.
    alias: [
      {
        find: /^@latchkey\/verifier\/(?:internal\/)?(.*)$/,
        replacement: `${packages}/verifier/src/core/$1.ts`,
      },
      { find: /^@latchkey\/contract\/(.*)$/, replacement: `${packages}/contract/src/$1.ts` },
    ],
  },
  test: {
    include: [...part.tests],
    globalSetup: part.needsPostgres ? ['test/mutation/shared-cluster.ts'] : [],
    isolate: false,
    sequence: { sequencer: QuickFirst },
    // A change that makes a test hang is noticed after this time.
    testTimeout: 20_000,
    hookTimeout: 20_000,
    expect: { poll: { timeout: 10_000 } },
  },
});
