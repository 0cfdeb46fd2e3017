import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { publishedErrors } from '../http/problem.ts';
import { type CompressedDocument, compressedDocument } from '../http/static-document.ts';
import { loadAsset, ownScriptsOnly } from './asset.ts';

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
    'content-security-policy': ownScriptsOnly,
    'cache-control': 'no-cache',
  });
  return { page, assets };
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
