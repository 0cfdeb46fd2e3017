import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { publishedErrors } from '../http/problem.ts';
import { type CompressedDocument, compressedDocument } from '../http/static-document.ts';

/** The page and what it loads, under names that hold the hash of the content. */
export interface DocsFiles {
  readonly page: CompressedDocument;
  readonly assets: ReadonlyMap<string, CompressedDocument>;
}

const library = (name: string) => fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`));
const own = (name: string) => fileURLToPath(new URL(`./docs/${name}`, import.meta.url));

/** `loadDocsFiles` replaces the name of each of these in the page by its hashed name. */
const assetFiles = [
  library('swagger-ui.css'),
  library('swagger-ui-bundle.js'),
  own('page.css'),
  own('page.js'),
];

/** No inline style or script, no eval, no other origin. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Reads and compresses all of it, about 3 MB: call it once, when the page is first asked for. */
export async function loadDocsFiles(): Promise<DocsFiles> {
  const loaded = await Promise.all(assetFiles.map(loadAsset));
  const assets = new Map(loaded.map(({ hashedName, document }) => [hashedName, document]));
  let html = await readFile(own('page.html'), 'utf8');
  for (const { name, hashedName } of loaded) {
    html = html.replace(`"/docs/${name}"`, `"/docs/${hashedName}"`);
  }
  const page = await compressedDocument(html.replace('<!--errors-->', errorRows()), {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': contentSecurityPolicy,
    'cache-control': 'no-cache',
  });
  return { page, assets };
}

async function loadAsset(file: string) {
  const name = file.slice(file.lastIndexOf('/') + 1);
  const content = await readFile(file);
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const type = name.endsWith('.css') ? 'text/css' : 'text/javascript';
  const document = await compressedDocument(content, {
    'content-type': `${type}; charset=utf-8`,
    'cache-control': 'public, max-age=31536000, immutable',
  });
  return { name, hashedName: name.replace(/\.(?=\w+$)/, `.${hash}.`), document };
}

/** Where the `type` of a problem document points to. */
function errorRows(): string {
  return publishedErrors()
    .map(({ code, status, title }) => {
      const cells = [`<code>${code}</code>`, status, title].map((cell) => `<td>${cell}</td>`);
      return `<tr id="error-${code}">${cells.join('')}</tr>`;
    })
    .join('\n');
}
