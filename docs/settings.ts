import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { loadConfig, topics } from '../src/node/config.ts';
import type { Setting } from '../src/platform/config/setting.ts';

const columns = 100;

/** What `npm run docs` writes from the declarations of the settings, by path from the root. */
export function settingsFiles(): Record<string, string> {
  return { 'docs/settings.md': page(), '.env.example': example() };
}

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

function page(): string {
  const tables = sections().map(({ title, settings }) =>
    [
      `## ${title}`,
      '',
      '| Variable | Default | Meaning |',
      '|---|---|---|',
      ...settings.map(
        ({ variable, standard, secret, meaning }) =>
          `| \`${variable}\` | ${standard === '' ? '' : `\`${standard}\` `}| ${secret ? '*Secret*. ' : ''}${meaning} |`,
      ),
    ].join('\n'),
  );
  return `# Settings

Environment variables; \`npm start\` also reads \`.env\`. An empty variable counts as absent, a file without content is refused, and a
name that is almost one of these is warned about. All problems are reported at once. The defaults are those of dev. *Secret*: may
also be given as a file, \`KEK_FILE\` for \`KEK\`. \`REDIS_URL\` and \`SMTP_URL\` belong to later versions: they are ignored with a warning.

\`npm run docs\` writes this page and \`.env.example\` from the declarations: \`src/node/config.ts\` lists the topics.

${tables.join('\n\n')}
`;
}

function example(): string {
  const parts = sections().map(({ title, settings }) =>
    [`# ${title}`, ...settings.flatMap(exampleLines)].join('\n'),
  );
  return `# Every variable that Latchkey reads, with its default in dev. Copy to .env and uncomment what you change.
# Secrets (marked) may instead stand in a file: KEK_FILE=/run/secrets/kek for KEK.
# Written by \`npm run docs\`.

${parts.join('\n\n')}
`;
}

function exampleLines({ variable, standard, secret, meaning, example }: Shown): string[] {
  const plain = `${secret ? 'Secret. ' : ''}${meaning}.`.replaceAll('`', '');
  return ['', ...wrapped(plain), `#${variable}=${example ?? standard}`];
}

/** Comment lines of at most so many columns. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > columns) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

if (import.meta.main) {
  for (const [file, text] of Object.entries(settingsFiles())) {
    writeFileSync(new URL(`../${file}`, import.meta.url), text);
  }
}
