import { none } from '../http/auth.ts';
import { type Route, route } from '../http/route.ts';
import { documentReply } from '../http/static-document.ts';
import { loadDocsFiles } from './docs-files.ts';
import { atFirstRequest, pageFileRoute, unchanged } from './page-files.ts';

const tags = ['Operation'];

/**
 * `GET /docs`, a page that shows `/openapi.json` and asks no other origin for anything, and the
 * files that it loads. They are read at the first request: most processes never serve them.
 */
export function docsRoutes(): Route[] {
  const files = atFirstRequest(loadDocsFiles);
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
    pageFileRoute('/docs/{file}', tags, files),
  ];
}
