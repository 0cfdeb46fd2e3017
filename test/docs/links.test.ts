import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBelow, readText, root } from '../support/source-files.ts';

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...filesBelow('docs', 'bench').filter((file) => file.endsWith('.md')),
];

/** Folders whose files the pages may name. */
const ownPath = /`((?:src|test|bench|docs|docs-generator|migrations|grafana)\/[\w./-]+)`/g;

describe.each(pages)('%s', (page) => {
  const text = readText(page);

  it('links to what exists, heading included', () => {
    const dead = [...text.matchAll(/\]\((?!https?:|mailto:)([^)\s]*)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !isAlive(page, target));
    expect(dead).toEqual([]);
  });

  it('names only files that exist', () => {
    const named = [...text.matchAll(ownPath)].map(([, file]) => file!);
    expect(named.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });

  it('names only npm scripts and commands that exist', () => {
    const { scripts } = JSON.parse(readText('package.json')) as {
      scripts: Record<string, string>;
    };
    const run = [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)].map(
      ([, script, short]) => script ?? short!,
    );
    expect(run.filter((script) => scripts[script] === undefined)).toEqual([]);
    const commands = [...readText('src/cli/latchkey.ts').matchAll(/\.command\('([\w-]+)'\)/g)];
    const known = commands.map(([, name]) => name!);
    const used = [...text.matchAll(/`latchkey ([a-z]+)(?: ([a-z]+))?/g)].flatMap(
      ([, first, second]) => [first!, ...(first === 'keys' ? [second!] : [])],
    );
    // It is announced as what does not exist yet.
    const announced = ['recover'];
    expect(used.filter((name) => !known.includes(name) && !announced.includes(name))).toEqual([]);
  });
});

describe('a dead link', () => {
  it('is found, be it the file or the heading', () => {
    expect(isAlive('README.md', 'docs/nothing.md')).toBe(false);
    expect(isAlive('README.md', 'docs/sessions.md#nothing-here')).toBe(false);
    expect(isAlive('README.md', 'docs/sessions.md#cookie-mode')).toBe(true);
  });
});

function isAlive(page: string, target: string): boolean {
  const [file = '', heading] = target.split('#');
  const absolute = file === '' ? page : path.posix.join(path.posix.dirname(page), file);
  if (!existsSync(path.join(root, absolute))) return false;
  return heading === undefined || headings(absolute).includes(heading);
}

/** As GitHub makes anchors of headings. */
function headings(page: string): string[] {
  return [...readText(page).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
