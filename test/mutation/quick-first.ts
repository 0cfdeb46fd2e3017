import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { quickTests } from '../support/tiers.ts';

/**
 * The tests that need no Postgres go first: the first test that fails ends the run of a mutant, and
 * these fail within milliseconds.
 */
export class QuickFirst extends BaseSequencer {
  readonly #quick = new Set(quickTests());

  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isSlow = ({ moduleId }: TestSpecification) =>
      Number(![...this.#quick].some((file) => moduleId.endsWith(`/${file}`)));
    return files.toSorted((a, b) => isSlow(a) - isSlow(b));
  }
}
