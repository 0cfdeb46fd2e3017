import { budgetsOf } from '../src/api/http/route.ts';
import { budgets, type Rule } from '../src/domain/kernel/budgets.ts';
import { readText } from '../test/support/source-files.ts';
import { declaredRoutes } from './declared-routes.ts';
import { code, table } from './markdown.ts';

const head = ['Budget', 'Limit', 'Taken by'];
const spans: Readonly<Record<number, string>> = { 60: 'a minute', 3600: 'an hour' };

/** `docs/limits.md` as it stands, with the table of budgets from the code. */
export function limitsPage(): string {
  const begin = table(head, []);
  const [before, after] = readText('docs/limits.md').split(begin);
  if (after === undefined) throw new Error('docs/limits.md has lost the head of its table');
  const rest = after.replace(/^(?:\n\|.*)*/, '');
  return `${before}${table(head, budgetRows())}${rest}`;
}

function budgetRows(): string[][] {
  const routes = declaredRoutes();
  return Object.entries(budgets).map(([budget, rules]) => {
    const takers = routes.filter((route) => budgetsOf(route).some((name) => name === budget));
    const paths = takers.map(({ method, path }) => code(`${method.toUpperCase()} ${path}`));
    return [code(budget), rules.map(limitOf).join('; ') || 'none', paths.join(', ')];
  });
}

function limitOf({ per, count, windowSeconds }: Rule): string {
  return `${count.toLocaleString('en')} per ${per} ${spans[windowSeconds]}`;
}
