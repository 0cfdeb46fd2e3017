import { errorCodes } from '@latchkey/contract/error-code';
import { describe, expect, it } from 'vitest';
import { eventsIn } from '../../docs-generator/declared-events.ts';
import { declaredRoutes } from '../../docs-generator/declared-routes.ts';
import { generated } from '../../docs-generator/write.ts';
import { readText } from '../support/source-files.ts';

// Fails when a declaration has changed and its page has not.
it.each(Object.entries(generated))('%s is the one that `npm run docs` writes', (file, text) => {
  expect(readText(file) === text(), 'run `npm run docs`').toBe(true);
});

describe('docs/api.md', () => {
  it('has a section for each declared route, the paths below a gateway check aside', () => {
    const sections = [...readText('docs/api.md').matchAll(/^### (Any method|[A-Z]+) (\S+)$/gm)];
    const shown = sections.map(([, method, path]) => `${method} ${path}`);
    const declared = declaredRoutes()
      .filter(({ path }) => !path.endsWith('/{rest*}'))
      .map(
        ({ method, path }) => `${method === 'all' ? 'Any method' : method.toUpperCase()} ${path}`,
      );
    expect(declared.length).toBeGreaterThan(40);
    expect(shown.toSorted()).toEqual(declared.toSorted());
  });

  it('has the fields of every object', () => {
    const [, ...objects] = readText('docs/api.md').split('\n## Objects\n')[1]!.split('\n### ');
    expect(objects.length).toBeGreaterThan(10);
    const bare = objects.filter((section) => !section.includes('\n| `'));
    expect(bare.map((section) => section.split('\n')[0])).toEqual([]);
  });
});

describe('docs/errors.md', () => {
  it('names no code that says why a login was refused', () => {
    expect(errorCodes.filter((code) => /unknown_user|locked|wrong_password/.test(code))).toEqual(
      [],
    );
  });
});

describe('docs/events.md', () => {
  const read = (text: string) => eventsIn({ path: 'a.ts', text });
  const union = '/** The stream id. */ export type AnEvent = A;';

  it('has the sentences of events and fields; a field without one has that of its type', () => {
    const { meaning, events } = read(`
      /** Whose. */
      type Owner = string;
      /**
       * It began,
       * and went on.
       *
       * @pii {ip}
       */
      export type A = InSchema<
        2,
        DomainEvent<'A', { at: number; b?: Owner; /** How. */ c: 'x' | 'y' }>
      >;
      ${union}`);
    expect(meaning).toBe('The stream id.');
    expect(events).toEqual([
      {
        type: 'A',
        schemaV: 2,
        meaning: 'It began, and went on.',
        pii: '{ip}',
        fields: [
          { name: 'at', type: 'integer', meaning: '', values: null },
          { name: 'b?', type: 'string', meaning: 'Whose.', values: null },
          { name: 'c', type: '`x`, `y`', meaning: 'How.', values: ['x', 'y'] },
        ],
      },
    ]);
  });

  it.each([
    ['A', `export type A = DomainEvent<'A', { at: number }>; ${union}`],
    [
      'A.b',
      `/** It began. */ export type A = DomainEvent<'A', { at: number; b: string }>; ${union}`,
    ],
    ['the union', "/** It began. */ export type A = DomainEvent<'A', { at: number }>;"],
  ])('cannot be written without a sentence for %s', (name, text) => {
    expect(() => read(text)).toThrow(`no docstring explains ${name}`);
  });

  it('cannot be written of an event that says no time', () => {
    const text = `/** It began. */ export type A = DomainEvent<'A', {}>; ${union}`;
    expect(() => read(text)).toThrow('no `at` in A');
  });
});
