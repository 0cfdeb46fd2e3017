import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type CompressedDocument, compressedDocument } from '../http/static-document.ts';

/** The policy of a page with files of its own: no inline style or script, no other origin. */
export const ownScriptsOnly = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export interface PageAsset {
  readonly name: string;
  /** Holds the hash of the content, so that a browser may keep the file for ever. */
  readonly hashedName: string;
  readonly document: CompressedDocument;
}

/** A script or style that a page loads. */
export async function loadAsset(file: string): Promise<PageAsset> {
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
