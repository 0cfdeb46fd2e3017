import { describe, expect, it } from 'vitest';
import { readText, sourceFiles } from '../support/source-files.ts';

interface Finding {
  readonly row: string;
  readonly tests: readonly string[];
}

const tests = new Map(sourceFiles('test').map(({ path, text }) => [path, text]));

function findings(): Finding[] {
  return [
    ...readText('docs/findings.md').matchAll(/^\| ([A-F]\d+b?) \| [^|]+ \| ([^|]+) \|$/gm),
  ].map(([, row, links]) => ({
    row: row!,
    tests: [...links!.matchAll(/\(\.\.\/([^)]+)\)/g)].map(([, path]) => path!),
  }));
}

function expectedRows(): string[] {
  const last = { A: 10, B: 12, C: 12, D: 8, E: 13, F: 20 };
  const numbered = Object.entries(last).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
  );
  return [...numbered, 'A5b'].sort();
}

describe('the page of findings', () => {
  it('has every row, each with a test', () => {
    expect(
      findings()
        .map(({ row }) => row)
        .sort(),
    ).toEqual(expectedRows());
    expect(findings().filter(({ tests: found }) => found.length === 0)).toEqual([]);
  });

  it('names only files with a test of that row', () => {
    const wrong = findings().flatMap(({ row, tests: named }) =>
      named
        .filter(
          (path) =>
            !new RegExp(`['"\`](?:[A-F]\\d+b?, )*${row}(?:, [A-F]\\d+b?)*: `).test(
              tests.get(path) ?? '',
            ),
        )
        .map((path) => `${row}: ${path}`),
    );
    expect(wrong).toEqual([]);
  });
});
