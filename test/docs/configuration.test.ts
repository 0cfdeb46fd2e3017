import { describe, expect, it } from 'vitest';
import { environmentSchema, secretVariables } from '../../src/platform/config/config-schema.ts';
import { readText } from '../support/source-files.ts';

const rows = [
  ...readText('docs/operations.md').matchAll(/^\| `([A-Z_]+)` \| (?:`([^`]*)`)? ?\| (.*) ?\|$/gm),
].map(([, variable, fallback, meaning]) => ({
  variable: variable!,
  fallback: fallback ?? '',
  meaning: meaning!,
}));

describe('the configuration table of docs/operations.md', () => {
  it('has every variable of the schema once, and no other', () => {
    expect(rows.map(({ variable }) => variable).sort()).toEqual(
      Object.keys(environmentSchema.shape).sort(),
    );
  });

  it('gives the defaults that .env.example gives', () => {
    const example = [...readText('.env.example').matchAll(/^#([A-Z_]+)=(.*)$/gm)];
    const shown = new Map(example.map(([, name, value]) => [name, value]));
    // An example of a value: by default there is none.
    shown.set('DATABASE_URL', '');
    for (const { variable, fallback } of rows) {
      expect(`${variable}=${fallback}`).toBe(`${variable}=${shown.get(variable)}`);
    }
  });

  it('marks exactly the secrets', () => {
    const marked = rows.filter(({ meaning }) => meaning.startsWith('*Secret*'));
    expect(marked.map(({ variable }) => variable).sort()).toEqual([...secretVariables].sort());
  });
});
