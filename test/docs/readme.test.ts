import { describe, expect, it } from 'vitest';
import { readText } from '../support/source-files.ts';

describe('README.md', () => {
  // Who reads it has a screen and a half of patience.
  it('has at most 120 lines, of which at most 15 are of tables', () => {
    const lines = readText('README.md').trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(120);
    expect(lines.filter((line) => line.startsWith('|')).length).toBeLessThanOrEqual(15);
  });
});
