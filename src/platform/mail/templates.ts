import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../config/config-error.ts';
import { escapeHtml } from '../escape-html.ts';

/** Which placeholders the templates of each kind of mail must and may have. */
export type TemplateKinds = Readonly<
  Record<string, { readonly required: readonly string[]; readonly optional: readonly string[] }>
>;

interface Template {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export type Rendered = Template;

export interface TemplateOptions {
  readonly kinds: TemplateKinds;
  readonly languages: readonly string[];
  /** Its files replace the standard ones; absent: none are replaced. */
  readonly directory: string | undefined;
}

const standardDirectory = fileURLToPath(new URL('../../../templates/mail', import.meta.url));
const placeholder = /\{\{([^{}]*)\}\}/g;
const textHead = /^Subject: ([^\r\n]+)\r?\n\r?\n/;

/**
 * The templates of every mail: `<language>/<kind>.txt`, whose first line is `Subject: …`, and
 * `<language>/<kind>.html`. They only replace `{{name}}`: a language with conditions would render an
 * unknown name as nothing, and a link that is missing in a mail is found out by the person who waits
 * for it. So each file is checked when it is read. Throws ConfigError with every problem.
 */
export class MailTemplates {
  readonly #templates = new Map<string, Template>();

  constructor({ kinds, languages, directory }: TemplateOptions) {
    const problems = directory === undefined ? [] : strangeFiles(directory, kinds, languages);
    for (const language of languages) {
      for (const [kind, names] of Object.entries(kinds)) {
        const files = ['txt', 'html'].map((ending) => `${language}/${kind}.${ending}`);
        const [text, html] = files.map((file) => contentOf(file, directory)) as [string, string];
        problems.push(...faultsOf(files[0]!, text, names), ...faultsOf(files[1]!, html, names));
        const head = textHead.exec(text);
        if (head === null)
          problems.push(`${files[0]} must begin with "Subject: …" and an empty line`);
        const subject = head?.[1] ?? '';
        const body = text.slice(head?.[0].length ?? 0);
        this.#templates.set(`${language}/${kind}`, { subject, text: body, html });
      }
    }
    if (problems.length > 0) {
      throw new ConfigError(problems.map((message) => ({ variable: 'MAIL_TEMPLATES', message })));
    }
  }

  /** Values are escaped in the HTML; a line end in one can begin no header. */
  render(language: string, kind: string, values: Readonly<Record<string, string>>): Rendered {
    const { subject, text, html } = this.#templates.get(`${language}/${kind}`)!;
    const plain = (name: string) => values[name]!;
    return {
      subject: replaced(subject, plain).replace(/\s+/g, ' '),
      text: replaced(text, plain),
      html: replaced(html, (name) => escapeHtml(values[name]!)),
    };
  }
}

function contentOf(file: string, directory: string | undefined): string {
  const own = directory === undefined ? undefined : path.join(directory, file);
  const found = own !== undefined && existsSync(own) ? own : path.join(standardDirectory, file);
  return readFileSync(found, 'utf8');
}

/** A file that replaces nothing was meant to replace something. */
function strangeFiles(
  directory: string,
  kinds: TemplateKinds,
  languages: readonly string[],
): string[] {
  if (!existsSync(directory)) return [`names no directory: ${directory}`];
  const known = languages.flatMap((language) =>
    Object.keys(kinds).flatMap((kind) => [`${language}/${kind}.txt`, `${language}/${kind}.html`]),
  );
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => !known.includes(file))
    .map((file) => `holds ${file}, which is no template`);
}

function faultsOf(
  file: string,
  content: string,
  { required, optional }: TemplateKinds[string],
): string[] {
  const used = [...content.matchAll(placeholder)].map(([, name]) => name!);
  const unknown = used.filter((name) => !required.includes(name) && !optional.includes(name));
  const missing = required.filter((name) => !used.includes(name));
  return [
    ...new Set(unknown.map((name) => `${file} has the unknown placeholder {{${name}}}`)),
    ...missing.map((name) => `${file} lacks the placeholder {{${name}}}`),
  ];
}

function replaced(template: string, lookUp: (name: string) => string): string {
  return template.replace(placeholder, (_, name: string) => lookUp(name));
}
