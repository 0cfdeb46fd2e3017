import { describe, expect, it } from 'vitest';
import { limitsPage } from '../../docs-generator/limits-page.ts';
import { readText } from '../support/source-files.ts';

describe('docs/limits.md', () => {
  it('C3: has the budgets of the code, and the routes that take from each', () => {
    const page = readText('docs/limits.md');
    expect(page === limitsPage(), 'run `npm run docs`').toBe(true);
    expect(page).toContain(
      '\n| `profile` | 20 per user a minute; 120 per user an hour | `PATCH /auth/me` |\n',
    );
    expect(page).toContain('\n| `session_end` | none | `POST /auth/logout`, ');
  });
});
