import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mailKinds, mailLanguages } from '../../../src/domain/mail/mail-kinds.ts';
import { ConfigError } from '../../../src/platform/config/config-error.ts';
import { MailTemplates } from '../../../src/platform/mail/templates.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'templates-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const load = (own?: string) =>
  new MailTemplates({ kinds: mailKinds, languages: mailLanguages, directory: own });

function write(file: string, content: string): void {
  mkdirSync(path.join(directory, path.dirname(file)), { recursive: true });
  writeFileSync(path.join(directory, file), content);
}

function problems(): string[] {
  try {
    load(directory);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(new Set(error.problems.map(({ variable }) => variable))).toEqual(
      new Set(['MAIL_TEMPLATES']),
    );
    return error.problems.map(({ message }) => message);
  }
}

describe('the templates of mails', () => {
  it('those that Latchkey brings have every placeholder that they need, in each language', () => {
    const templates = load();
    for (const language of mailLanguages) {
      for (const [kind, { required, optional }] of Object.entries(mailKinds)) {
        const values = Object.fromEntries(
          [...required, ...optional].map((name) => [name, `<${name}>`]),
        );
        const { subject, text, html } = templates.render(language, kind, values);
        expect(`${subject}${text}${html}`, kind).not.toMatch(/[{}]{2}/);
        for (const name of required) {
          expect(text, kind).toContain(`<${name}>`);
          expect(html, kind).toContain(`&lt;${name}&gt;`);
        }
      }
    }
  });

  it('a value is escaped in HTML and ends no header', () => {
    const values = { service: 'x\r\nBcc: y', time: '<b>"', device: "<img onerror='x'>" };
    const { subject, html } = load().render('en', 'new-device', values);
    expect(subject).toBe('New login to x Bcc: y');
    expect(html).toContain('&lt;img onerror=&#39;x&#39;&gt;');
    expect(html).not.toContain('<img');
  });

  it('a file of the directory replaces the one of the same name, and no other', () => {
    write('en/one-time-code.txt', 'Subject: Hello {{service}}\n\nYours: {{code}}\n');
    const values = { service: 'S', code: '123456', minutes: '10' };
    const english = load(directory).render('en', 'one-time-code', values);
    expect(english).toMatchObject({ subject: 'Hello S', text: 'Yours: 123456\n' });
    expect(english.html).toContain('<strong>123456</strong>');
    expect(load(directory).render('de', 'one-time-code', values).text).toContain('Ihr Code');
  });

  it('what is wrong with them is said at once, by file and name', () => {
    write('en/one-time-code.txt', 'Subject: Hello\n\nYour code is {{kode}}\n');
    write('en/reset-password.html', '<p>{{minutes}}</p>');
    write('de/new-device.txt', 'Hallo {{time}} {{device}}');
    write('de/greeting.txt', 'Subject: x\n\n');
    expect(problems()).toEqual([
      'holds de/greeting.txt, which is no template',
      'en/one-time-code.txt has the unknown placeholder {{kode}}',
      'en/one-time-code.txt lacks the placeholder {{code}}',
      'en/reset-password.html lacks the placeholder {{link}}',
      'de/new-device.txt must begin with "Subject: …" and an empty line',
    ]);
  });

  it('a directory that is not there is no mistake that goes unnoticed', () => {
    rmSync(directory, { recursive: true });
    expect(problems()).toEqual([`names no directory: ${directory}`]);
    mkdirSync(directory);
  });
});
