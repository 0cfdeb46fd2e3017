import { z } from 'zod';
import { loadConfig, topics } from '../src/node/config.ts';
import type { Setting } from '../src/platform/config/setting.ts';
import { code, table, wrapped } from './markdown.ts';

interface Shown extends Setting<unknown> {
  /** What dev takes without the variable, as text; empty for nothing. */
  readonly standard: string;
}

function sections(): { title: string; settings: Shown[] }[] {
  const defaults = loadConfig({});
  return Object.entries(topics).map(([topic, { title, fields }]) => ({
    title,
    settings: Object.entries<Setting<unknown>>(fields).map(([field, setting]) => {
      const values = defaults[topic as keyof typeof topics] as Record<string, unknown>;
      const value = values[field];
      const standard = value === undefined ? '' : (z.encode(setting.kind, value) as string);
      return { ...setting, standard };
    }),
  }));
}

/** `docs/settings.md`, from the declarations of the settings. */
export function settingsPage(): string {
  const tables = sections().map(({ title, settings }) => {
    const rows = settings.map(({ variable, standard, secret, meaning }) => [
      code(variable),
      standard === '' ? '' : code(standard),
      `${secret ? '*Secret*. ' : ''}${meaning}`,
    ]);
    return `## ${title}\n\n${table(['Variable', 'Default', 'Meaning'], rows)}`;
  });
  return `# Settings

Latchkey reads these environment variables; \`npm start\` also reads \`.env\`. The defaults are
those of dev.

- An empty variable counts as absent. Latchkey refuses a file without content.
- Latchkey warns about a name that is almost one of these, and reports all problems at once.
- *Secret*: you may also give it as a file, \`KEK_FILE\` for \`KEK\`.

\`npm run docs\` writes this page and \`.env.example\` from the declarations. \`src/node/config.ts\`
lists the topics.

${tables.join('\n\n')}
`;
}

/** `.env.example`, from the same declarations. */
export function exampleEnvironment(): string {
  const parts = sections().map(({ title, settings }) =>
    [`# ${title}`, ...settings.flatMap(exampleLines)].join('\n'),
  );
  return `# Every variable that Latchkey reads, with its default in dev.
# Copy to .env and uncomment what you change.
# Secrets (marked) may instead stand in a file: KEK_FILE=/run/secrets/kek for KEK.
# Written by \`npm run docs\`.

${parts.join('\n\n')}
`;
}

function exampleLines({ variable, standard, secret, meaning, example }: Shown): string[] {
  const plain = `${secret ? 'Secret. ' : ''}${meaning}.`.replaceAll('`', '');
  return ['', wrapped(`# ${plain}`, '# '), `#${variable}=${example ?? standard}`];
}
