import type { IncomingHttpHeaders } from 'node:http';
import type { Node } from '../../node/node.ts';
import { none } from '../http/auth.ts';
import { type Reply, reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { isUnchanged } from '../http/static-document.ts';
import { keySet } from '../lanes/key-set.ts';
import { jwkSetSchema } from './schemas.ts';

export function jwksRoutes(node: Node): Route[] {
  return ['/.well-known/jwks.json', '/auth/jwks'].map((path) =>
    route({
      method: 'get',
      path,
      summary: 'The keys that verify access tokens (RFC 7517)',
      tags: ['Verification'],
      auth: none,
      cors: 'public',
      responses: {
        200: { description: 'The public keys', schema: jwkSetSchema },
        304: { description: 'Not changed since the ETag of If-None-Match' },
      },
      fast: keySet(node, path),
      handler: ({ headers }) => jwksReply(node, headers),
    }),
  );
}

function jwksReply({ memory, config }: Node, headers: IncomingHttpHeaders): Reply {
  const { body, etag } = memory.jwks;
  const caching = { etag, 'cache-control': `public, max-age=${config.keyset.maxAgeSeconds}` };
  return isUnchanged(headers['if-none-match'], etag)
    ? reply(304, undefined, caching)
    : reply(200, body, caching);
}
