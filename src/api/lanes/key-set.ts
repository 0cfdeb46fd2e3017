import type { Node } from '../../node/node.ts';
import type { NodeMemory } from '../../node/node-memory.ts';
import { corsHeaders } from '../http/cors.ts';
import type { FastAnswerFactory } from '../http/fast-answer.ts';
import { sendReply } from '../http/reply.ts';
import { isUnchanged } from '../http/static-document.ts';

/**
 * The key set from one buffer for each keyset: some clients fetch it again for every kid that a
 * stranger makes up. `path` is what metrics call it.
 */
export function keySet(
  { memory, config }: Pick<Node, 'memory' | 'config'>,
  path: string,
): FastAnswerFactory {
  return ({ metrics }) => {
    let present = answersOf(memory.jwks, config.keyset.maxAgeSeconds);
    return (request, response) => {
      const startedAt = performance.now();
      if (present.document !== memory.jwks) {
        present = answersOf(memory.jwks, config.keyset.maxAgeSeconds);
      }
      const same = isUnchanged(request.headers['if-none-match'], present.document.etag);
      const answer = same ? present.unchanged : present.whole;
      sendReply(response, answer);
      const seconds = (performance.now() - startedAt) / 1000;
      metrics.observeRequest(path, request.method!, answer.status, seconds);
      return true;
    };
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
