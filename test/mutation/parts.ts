import { quickTests } from '../support/tiers.ts';

/** Sources that are mutated together, under the same tests. */
export interface Part {
  readonly name: string;
  /** Globs from the root of the repository. */
  readonly mutate: readonly string[];
  readonly tests: readonly string[];
  readonly needsPostgres: boolean;
}

export const parts: readonly Part[] = [
  {
    name: 'domain',
    mutate: ['src/domain/**/*.ts'],
    tests: quickTests().filter((file) =>
      /^test\/(domain|tables|security|docs\/limits)\b/.test(file),
    ),
    needsPostgres: false,
  },
  {
    name: 'verifier',
    mutate: ['packages/verifier/src/**/*.ts'],
    // Those of any input would take a minute for each change that the others do not notice.
    tests: ['test/verifier/!(verify-any-input).test.ts'],
    needsPostgres: false,
  },
  {
    name: 'log',
    mutate: ['src/eventlog/**/*.ts'],
    // Left out are those that judge the migrations, not these sources.
    tests: [
      'test/eventlog/!(append-only|partition-locks|query-plans).test.ts',
      'test/platform/postgres/errors.test.ts',
      'test/node/noted-lifetimes.test.ts',
      'test/worker/log-check.test.ts',
    ],
    needsPostgres: true,
  },
  {
    name: 'revocations',
    mutate: [
      'src/tables/revocation.ts',
      'src/node/revocation-poll.ts',
      'src/node/applied-revocations.ts',
      'src/app/guard.ts',
    ],
    tests: [
      'test/tables/revocation*.test.ts',
      'test/node/{applied-revocations,lease-start,revocation-poll-*}.test.ts',
      'test/node/{unusable-keys,forged-rows}.test.ts',
      'test/app/guard.test.ts',
      'test/api/login/concurrent-logins.test.ts',
    ],
    needsPostgres: true,
  },
];

export function partOf(name: string | undefined): Part {
  const part = parts.find((each) => each.name === name);
  if (part === undefined) throw new Error(`MUTATION_PART is one of ${parts.map((p) => p.name)}`);
  return part;
}
