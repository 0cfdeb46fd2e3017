import { appendFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends a run with `N passed, N failed, N skipped`. A file that could not be loaded counts as one failure. With
 * TEST_COUNTS set, the three numbers are also appended to that file, so that several runs can be added up.
 */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = { passed: 0, failed: errors.length, skipped: 0 };
    for (const module of modules) {
      let ran = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        counts[state === 'pending' ? 'skipped' : state] += 1;
        if (state === 'failed') ran += 1;
      }
      if (module.state() === 'failed' && ran === 0) counts.failed += 1;
    }
    const { passed, failed, skipped } = counts;
    const file = process.env.TEST_COUNTS;
    if (file !== undefined) appendFileSync(file, `${passed} ${failed} ${skipped}\n`);
    process.once('exit', () => {
      process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    });
  }
}
