import { writeFileSync } from 'node:fs';
import { apiPage } from './api-page.ts';
import { errorsPage } from './errors-page.ts';
import { eventsPage } from './events-page.ts';
import { limitsPage } from './limits-page.ts';
import { exampleEnvironment, settingsPage } from './settings-page.ts';

/** What `npm run docs` writes, by path from the root. */
export const generated: Readonly<Record<string, () => string>> = {
  'docs/api.md': apiPage,
  'docs/errors.md': errorsPage,
  'docs/events.md': eventsPage,
  'docs/limits.md': limitsPage,
  'docs/settings.md': settingsPage,
  '.env.example': exampleEnvironment,
};

if (import.meta.main) {
  for (const [file, text] of Object.entries(generated)) {
    writeFileSync(new URL(`../${file}`, import.meta.url), text());
  }
}
