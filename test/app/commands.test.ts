import { expect, it } from 'vitest';
import { streamKinds } from '../../src/domain/kernel/event.ts';
import { filesBelow, readText, sourceFiles } from '../support/source-files.ts';

/** Commands that no use case gives, each with the reason. */
const withoutUseCase: Readonly<Record<string, string>> = {};

/** The types of the commands of every noun: their declarations are all that has such a field. */
function commandTypes(): string[] {
  const sources = Object.keys(streamKinds).flatMap((kind) => filesBelow(`src/domain/${kind}`));
  return sources.flatMap((file) =>
    [...readText(file).matchAll(/^ {2}readonly type: '(\w+)';$/gm)].map(([, type]) => type!),
  );
}

// Fails when a command was decided, specified and drawn in the rebuild's population, and nobody can
// give it.
it('a use case stands behind every command', () => {
  const types = commandTypes();
  expect(types.length).toBeGreaterThan(20);
  expect(types).toContain('CheckPassword');
  const useCases = sourceFiles('src/app').map(({ text }) => text);
  const missing = types.filter((type) => !useCases.some((text) => text.includes(`'${type}'`)));
  expect(missing.toSorted()).toEqual(Object.keys(withoutUseCase).toSorted());
});
