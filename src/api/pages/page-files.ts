import { z } from 'zod';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { none } from '../http/auth.ts';
import { type Route, route } from '../http/route.ts';
import { type CompressedDocument, documentReply } from '../http/static-document.ts';

/** Of a page or a file whose ETag the browser has. */
export const unchanged = { description: 'Not changed since the ETag of If-None-Match' };

/** Reads at the first request: most processes never serve a page. A failed read is tried again. */
export function atFirstRequest<F>(read: () => Promise<F>): () => Promise<F> {
  let reading: Promise<F> | null = null;
  return () => {
    reading ??= read().catch((error) => {
      reading = null;
      throw error;
    });
    return reading;
  };
}

/** The scripts and styles of a page, by a `path` that ends in `{file}`. */
export function pageFileRoute(
  path: string,
  tags: string[],
  files: () => Promise<{ readonly assets: ReadonlyMap<string, CompressedDocument> }>,
): Route {
  return route({
    method: 'get',
    path,
    summary: 'A script or style of that page',
    tags,
    auth: none,
    params: z.object({ file: z.string() }),
    responses: {
      200: { description: 'The file, for ever the same', contentType: 'text/javascript' },
      304: unchanged,
    },
    handler: async ({ headers, params }) => {
      const asset = (await files()).assets.get(params.file);
      if (asset === undefined) throw new LatchkeyError('not_found');
      return documentReply(asset, headers);
    },
  });
}
