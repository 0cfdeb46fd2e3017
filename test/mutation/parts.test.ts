import { globSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readText, root } from '../support/source-files.ts';
import { accepted } from './accepted.ts';
import { parts } from './parts.ts';
import { type MutationReport, pageWith, resultOf } from './report.ts';
import { strykerPlugins } from './words-for-people.ts';

const files = (glob: string) => globSync(glob, { cwd: root });

describe('the parts that are mutated', () => {
  // Fails when a folder is moved: nothing would be mutated there, and the score would stay good.
  it('exist, with their tests', () => {
    expect(parts.map(({ name }) => name)).toEqual(['domain', 'verifier', 'log', 'revocations']);
    const globs = parts.flatMap(({ mutate, tests }) => [...mutate, ...tests]);
    expect(globs.filter((glob) => files(glob).length === 0)).toEqual([]);
  });

  it('are judged by tests without Postgres where they say so', () => {
    const quick = parts.filter(({ needsPostgres }) => !needsPostgres);
    const slow = quick.flatMap(({ tests }) => tests.flatMap(files)).filter(usesCluster);
    expect(slow).toEqual([]);
  });

  it('have accepted survivors only where what they change still stands', () => {
    const gone = accepted.filter(({ file, code }) => !readText(file).includes(code));
    expect(gone).toEqual([]);
  });
});

describe('the report', () => {
  const mutant = (status: string, line = 1) => ({
    ...{
      mutatorName: 'X',
      replacement: 'y',
      status,
      location: { start: { line, column: 1 }, end: { line, column: 7 } },
    },
  });
  const report: MutationReport = {
    files: {
      'src/domain/a.ts': {
        source: 'first\nsecond | third',
        mutants: [
          ...[mutant('Killed'), mutant('Timeout'), mutant('Ignored'), mutant('RuntimeError')],
          ...[mutant('Survived', 2), mutant('NoCoverage')],
        ],
      },
    },
  };

  // Fails when a mutant that no test reaches is left out: what has no test would not count.
  it('counts what no test reaches as a survivor', () => {
    const result = resultOf('domain', report, 3.2);
    expect(result.score).toBe(50);
    expect(result.counts).toEqual({ killed: 1, timedOut: 1, survived: 2, ignored: 1 });
  });

  it('leaves what is written by hand, and the parts that did not run', () => {
    const above = '# By hand\n<!-- From here on written by npm run test:mutation -->\n';
    const text = pageWith(above, [resultOf('domain', report, 3.2)]);
    expect(text).toMatch(/^# By hand\n<!-- .* -->\n\n## domain\n/);
    expect(text).toContain('| 50.0 % | 1 | 1 | 2 | 1 | 4 |');
    expect(text).toContain('| `src/domain/a.ts`:2 `second \\| third` | `y` |');
    const later = pageWith(text, [resultOf('log', report, null)]);
    expect(later).toContain(text.trimEnd());
    expect(later).toContain('## log\n');
    const again = pageWith(later, [resultOf('domain', { files: {} }, 1)]);
    expect(again).not.toContain('| 50.0 % | 1 | 1 | 2 | 1 | 4 |');
    expect(again.match(/^## .*/gm)).toEqual(['## domain', '## log']);
  });
});

describe('the words that are left alone', () => {
  const { shouldIgnore } = strykerPlugins[0]!.value;
  const text = { type: 'StringLiteral' };
  const said = (name: string) => ({ type: 'ObjectProperty', key: { type: 'Identifier', name } });
  const argumentOf = (parent: { type: string; callee: object }) =>
    shouldIgnore({ node: text, key: 0, listKey: 'arguments', parent: parent as never });
  const created = (name: string) =>
    argumentOf({ type: 'NewExpression', callee: { type: 'Identifier', name } });

  // Fails when a code is taken for a text: a client branches on it.
  it('are those of errors and log lines, never a code', () => {
    expect(created('Error')).toBeDefined();
    expect(created('LatchkeyError')).toBeUndefined();
    const logged = { type: 'MemberExpression', property: { type: 'Identifier', name: 'warn' } };
    expect(argumentOf({ type: 'CallExpression', callee: logged })).toBeDefined();
    const saidAs = (name: string) => shouldIgnore({ node: text, key: 'value', parent: said(name) });
    expect(saidAs('detail')).toBeDefined();
    expect(saidAs('code')).toBeUndefined();
  });

  it('are the lists of data, not those of a few codes', () => {
    const inListOf = (length: number) =>
      shouldIgnore({
        ...{ node: text, key: 0, listKey: 'elements' },
        parent: { type: 'ArrayExpression', elements: Array(length).fill(text) },
      });
    expect(inListOf(9)).toBeDefined();
    expect(inListOf(8)).toBeUndefined();
  });
});

function usesCluster(file: string): boolean {
  return /support\/(?:cluster|postgres|api)\.ts'/.test(readText(file));
}
