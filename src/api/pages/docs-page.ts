import { z } from 'zod';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { none } from '../http/auth.ts';
import { type Route, route } from '../http/route.ts';
import { documentReply } from '../http/static-document.ts';
import { type DocsFiles, loadDocsFiles } from './docs-files.ts';

const tags = ['Operation'];
const unchanged = { description: 'Not changed since the ETag of If-None-Match' };

/**
 * `GET /docs`, a page that shows `/openapi.json` and asks no other origin for anything, and the
 * files that it loads. They are read at the first request: most processes never serve them.
 */
export function docsRoutes(): Route[] {
  let loading: Promise<DocsFiles> | null = null;
  const files = () => {
    loading ??= loadDocsFiles().catch((error) => {
      loading = null;
      throw error;
    });
    return loading;
  };
  return [
    route({
      method: 'get',
      path: '/docs',
      summary: 'This API, to read and to try',
      tags,
      auth: none,
      responses: {
        200: { description: 'An HTML page', contentType: 'text/html' },
        304: unchanged,
      },
      handler: async ({ headers }) => documentReply((await files()).page, headers),
    }),
    route({
      method: 'get',
      path: '/docs/{file}',
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
    }),
  ];
}
