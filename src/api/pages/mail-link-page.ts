import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { escapeHtml } from '../../platform/escape-html.ts';
import { none } from '../http/auth.ts';
import { type Route, route } from '../http/route.ts';
import {
  type CompressedDocument,
  compressedDocument,
  documentReply,
} from '../http/static-document.ts';
import { loadAsset, ownScriptsOnly, type PageAsset } from './asset.ts';
import {
  askedField,
  commonTexts,
  type MailLinkPath,
  mailLinkPaths,
  type PageLanguage,
  pageLanguages,
  pageTexts,
} from './mail-link-texts.ts';
import { atFirstRequest, pageFileRoute, unchanged } from './page-files.ts';

const tags = ['Sign in'];
const own = (name: string) => fileURLToPath(new URL(`./mail-link/${name}`, import.meta.url));

interface Files {
  readonly assets: ReadonlyMap<string, CompressedDocument>;
  readonly page: (path: MailLinkPath, language: PageLanguage) => CompressedDocument;
}

/**
 * The pages behind the links in mails. Each reads the token from the fragment, removes it from the
 * address bar, and sends it with `POST` to its own path once somebody presses the button: a program
 * that opens the links of a mail to look at them uses none up.
 */
export function mailLinkRoutes(): Route[] {
  const files = atFirstRequest(loadFiles);
  return [
    ...mailLinkPaths.map((path) =>
      route({
        method: 'get',
        path,
        summary: 'The page behind the link in a mail',
        description: 'It changes nothing: the token stands in the fragment and comes with POST.',
        tags,
        auth: none,
        responses: {
          200: { description: 'An HTML page, in English or German', contentType: 'text/html' },
          304: unchanged,
        },
        handler: async ({ headers }) => {
          const language = languageOf(headers['accept-language']);
          return documentReply((await files()).page(path, language), headers);
        },
      }),
    ),
    pageFileRoute('/auth/pages/{file}', tags, files),
  ];
}

async function loadFiles(): Promise<Files> {
  const assets = await Promise.all([own('page.css'), own('page.js')].map(loadAsset));
  const html = await readFile(own('page.html'), 'utf8');
  const pages = new Map<string, CompressedDocument>();
  for (const language of pageLanguages) {
    for (const path of mailLinkPaths) {
      const written = pageOf(html, { path, language, assets });
      pages.set(`${language} ${path}`, await compressedDocument(written, headersOf(language)));
    }
  }
  return {
    assets: new Map(assets.map(({ hashedName, document }) => [hashedName, document])),
    page: (path, language) => pages.get(`${language} ${path}`)!,
  };
}

interface PageParts {
  readonly path: MailLinkPath;
  readonly language: PageLanguage;
  readonly assets: readonly PageAsset[];
}

function pageOf(html: string, { path, language, assets }: PageParts): string {
  const values: Readonly<Record<string, string>> = {
    field: askedField[path],
    ...commonTexts[language],
    ...pageTexts[language][path],
  };
  const linked = assets.reduce(
    (page, { name, hashedName }) =>
      page.replace(`/auth/pages/${name}`, `/auth/pages/${hashedName}`),
    html.replace('<html lang="en">', `<html lang="${language}">`),
  );
  return linked.replace(/\{\{(\w+)\}\}/g, (_, name: string) => escapeHtml(values[name]!));
}

function headersOf(language: PageLanguage) {
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-language': language,
    'content-security-policy': `${ownScriptsOnly}; require-trusted-types-for 'script'`,
    'cache-control': 'no-cache',
    vary: 'Accept-Language',
  };
}

/** RFC 9110 section 12.5.4: the language of ours with the highest weight; English without one. */
function languageOf(acceptLanguage = ''): PageLanguage {
  const wanted = acceptLanguage.split(',').map((range) => {
    const [tag = '', ...parameters] = range
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/);
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    return { language: tag.split('-')[0], weight: weight === undefined ? 1 : Number(weight) };
  });
  const [best] = wanted
    .filter(({ language, weight }) => weight > 0 && pageLanguages.some((ours) => ours === language))
    .sort((a, b) => b.weight - a.weight);
  return (best?.language as PageLanguage | undefined) ?? 'en';
}
