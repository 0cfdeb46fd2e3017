import { describe, expect, it } from 'vitest';
import { declaredRoutes } from '../../docs-generator/declared-routes.ts';
import { budgetsOf } from '../../src/api/http/route.ts';
import { budgets } from '../../src/domain/kernel/budgets.ts';
import { readText } from '../support/source-files.ts';

const routes = declaredRoutes();

const spans: Readonly<Record<number, string>> = { 60: 'a minute', 3600: 'an hour' };

function takenBy(budget: string): string {
  const takers = routes.filter((route) => budgetsOf(route).some((name) => name === budget));
  return takers.map(({ method, path }) => `\`${method.toUpperCase()} ${path}\``).join(', ');
}

describe('docs/limits.md', () => {
  it('C3: has the budgets of the code, and the routes that take from each', () => {
    const declared = Object.entries(budgets).map(([budget, rules]) => {
      const limits = rules.map(
        ({ per, count, windowSeconds }) =>
          `${count.toLocaleString('en')} per ${per} ${spans[windowSeconds]}`,
      );
      return `| \`${budget}\` | ${limits.join('; ') || 'none'} | ${takenBy(budget)} |`;
    });
    const listed = readText('docs/limits.md')
      .split('\n')
      .filter((line) => /^\| `\w+` \|/.test(line));
    expect(listed).toEqual(declared);
  });
});
