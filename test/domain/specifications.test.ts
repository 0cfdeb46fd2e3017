import { describe, expect, it } from 'vitest';
import { declaredStreams } from '../../docs-generator/declared-events.ts';
import { filesBelow, readText } from '../support/source-files.ts';

describe.each(declaredStreams())('the events of a $kind', ({ kind, events }) => {
  const specification = filesBelow(`test/domain/${kind}`).map(readText).join('\n');

  // Fails when a new event is decided and no specification says when.
  it('each have a specification that names them', () => {
    const unspecified = events.filter(({ type }) => !specification.includes(`'${type}'`));
    expect(unspecified.map(({ type }) => type)).toEqual([]);
  });
});
