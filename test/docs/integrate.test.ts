import { describe, expect, it } from 'vitest';
import { blocksOf, commandsOf } from '../integrate/page.ts';
import { filesBelow, readText } from '../support/source-files.ts';

const pages = filesBelow('docs/integrate').map((file) => /([\w-]+)\.md$/.exec(file)![1]!);

describe('the pages of docs/integrate', () => {
  it.each(pages)('%s has at most 100 lines', (page) => {
    const lines = readText(`docs/integrate/${page}.md`).trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(100);
  });

  it.each(pages)('%s is reached from the first one', (page) => {
    if (page !== 'README') expect(readText('docs/integrate/README.md')).toContain(`(${page}.md)`);
  });
});

/** The lines one after the other, however far they are indented. */
const flat = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .join('\n');

const examples = filesBelow('examples/gateways').map((file) => flat(readText(file)));

// Fails when an example is changed and the page that quotes it is not.
describe.each(['nginx', 'caddy'])('%s.md', (page) => {
  const quoted = blocksOf(page);

  it('quotes its example line by line', () => {
    expect(quoted.length).toBeGreaterThan(1);
    const invented = quoted.filter(
      ({ text }) => !examples.some((each) => each.includes(flat(text))),
    );
    expect(invented).toEqual([]);
  });
});

// Fails when the server moves to another release of a package and the pages do not.
it.each(['express', 'fastify'])('%s.md installs the releases that the server has', (page) => {
  const { dependencies } = JSON.parse(readText('package.json')) as {
    dependencies: Record<string, string>;
  };
  const named = [...commandsOf(page).install.matchAll(/ ([\w-]+)@([\d.]+)/g)];
  const shared = named.filter(([, name]) => dependencies[name!] !== undefined);
  expect(shared.length).toBeGreaterThan(1);
  for (const [, name, version] of shared) expect(version, name).toBe(dependencies[name!]);
});
