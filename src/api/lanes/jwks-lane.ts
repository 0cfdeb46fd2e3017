import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NodeMemory } from '../../node/node-memory.ts';
import { corsHeaders } from '../http/cors.ts';
import { sendReply } from '../http/reply.ts';
import { isUnchanged } from '../http/static-document.ts';

export interface JwksLaneOptions {
  readonly memory: Pick<NodeMemory, 'jwks'>;
  readonly maxAgeSeconds: number;
  readonly observe: (path: string, method: string, status: number, seconds: number) => void;
}

/** As clients ask, and as metrics call it. */
const paths = new Map([
  ['/.well-known/jwks.json', '/.well-known/jwks.json'],
  ['/auth/jwks', '/auth/jwks'],
  ['/api/auth/jwks', '/auth/jwks'],
]);

/**
 * Answers GET and HEAD of the key set before Express sees them, from one buffer for each keyset:
 * some clients fetch it again for every kid that a stranger makes up. Returns false when the
 * request is for somebody else.
 */
export function createJwksLane({ memory, maxAgeSeconds, observe }: JwksLaneOptions) {
  let present = answersOf(memory.jwks, maxAgeSeconds);

  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const { method, url = '' } = request;
    if (method !== 'GET' && method !== 'HEAD') return false;
    const mark = url.indexOf('?');
    const path = paths.get(mark === -1 ? url : url.slice(0, mark));
    if (path === undefined) return false;
    const startedAt = performance.now();
    if (present.document !== memory.jwks) present = answersOf(memory.jwks, maxAgeSeconds);
    const same = isUnchanged(request.headers['if-none-match'], present.document.etag);
    const answer = same ? present.unchanged : present.whole;
    sendReply(response, answer);
    observe(path, method, answer.status, (performance.now() - startedAt) / 1000);
    return true;
  };
}

function answersOf(document: NodeMemory['jwks'], maxAgeSeconds: number) {
  const headers = {
    ...corsHeaders('public', {}, [], false),
    etag: document.etag,
    'cache-control': `public, max-age=${maxAgeSeconds}`,
    'x-content-type-options': 'nosniff',
  };
  return {
    document,
    whole: { status: 200, headers, body: Buffer.from(document.body) },
    unchanged: { status: 304, headers },
  };
}
