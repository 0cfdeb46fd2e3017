import { describe, expect, it } from 'vitest';
import { loadConfig, topics } from '../../src/node/config.ts';
import { settingsOf } from '../../src/platform/config/read-topics.ts';
import { readText } from '../support/source-files.ts';

const variables = settingsOf(topics).map(({ variable }) => variable);

describe('the settings in words', () => {
  it('stand on the page once each', () => {
    const rows = [...readText('docs/settings.md').matchAll(/^\| `([A-Z_]+)` \|/gm)];
    expect(rows.map(([, variable]) => variable)).toEqual(variables);
  });

  // Fails when a default is written as text that does not mean it.
  it('show in .env.example what holds without them', () => {
    const lines = [...readText('.env.example').matchAll(/^#([A-Z_]+)=(.*)$/gm)];
    const shown = Object.fromEntries(lines.map(([, name, value]) => [name, value]));
    expect(Object.keys(shown)).toEqual(variables);
    const absent = { DATABASE_URL: '', REDIS_URL: '', SMTP_URL: '', MAIL_FROM: '' };
    expect(loadConfig({ ...shown, ...absent })).toEqual(loadConfig({}));
  });
});
