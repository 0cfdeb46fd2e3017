import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Route, route } from '../http/route.ts';
import { documentReply, staticDocument } from '../http/static-document.ts';

/**
 * `GET /docs`: one page with its own style and script, which reads `/openapi.json` and asks nobody
 * else for anything.
 */
export function docsRoute(): Route {
  const style = readPart('page.css');
  const script = readPart('page.js');
  const page = readPart('page.html')
    .replace('/*style*/', () => style)
    .replace('/*script*/', () => script);
  const policy = [
    "default-src 'none'",
    `style-src '${digest(style)}'`,
    `script-src '${digest(script)}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  const document = staticDocument(page, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy,
    'cache-control': 'no-cache',
  });
  return route({
    method: 'get',
    path: '/docs',
    summary: 'This API, to read and to try',
    tags: ['Operation'],
    auth: 'none',
    responses: {
      200: { description: 'An HTML page', contentType: 'text/html' },
      304: { description: 'Not changed since the ETag of If-None-Match' },
    },
    handler: ({ headers }) => documentReply(document, headers),
  });
}

function readPart(name: string): string {
  return readFileSync(new URL(`./docs/${name}`, import.meta.url), 'utf8');
}

function digest(source: string): string {
  return `sha256-${createHash('sha256').update(source).digest('base64')}`;
}
