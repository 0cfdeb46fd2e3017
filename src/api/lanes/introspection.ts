import type { IncomingMessage, ServerResponse } from 'node:http';
import { authenticateClient } from '../../app/client/authenticate-client.ts';
import { introspect } from '../../app/session/introspect.ts';
import { invalidField } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';
import { clientCredentials } from '../http/client-credentials.ts';
import type { FastAnswerFactory } from '../http/fast-answer.ts';
import { sendReply } from '../http/reply.ts';
import { readFormParameters } from '../http/request-body.ts';
import { sendRefusal } from './refused.ts';

/** A token that cannot be ours is inactive, whatever it is made of. */
const opaque: ReadonlySet<string> = new Set(['token']);

/**
 * Introspection from memory, without a statement and without a log line when it succeeds. A page's
 * request takes the way through Express, which knows about origins.
 */
export function introspection(
  node: Pick<Node, 'memory' | 'sessionKeys' | 'metrics'>,
): FastAnswerFactory {
  const { memory, metrics } = node;
  return (lane) => {
    const { verifications } = metrics;
    const answer = async (request: IncomingMessage, response: ServerResponse) => {
      lane.inFlight.add(response);
      response.once('close', () => lane.inFlight.delete(response));
      try {
        const { texts: form } = await readFormParameters(request, { opaque });
        const client = authenticateClient(memory, clientCredentials(request, form));
        const body = await introspect(node, client, requiredToken(form));
        const result = body.active ? 'accepted' : 'inactive';
        verifications[result] = (verifications[result] ?? 0) + 1;
        sendReply(response, { status: 200, body });
      } catch (thrown) {
        sendRefusal(request, response, thrown, lane, verifications);
      }
    };
    return (request, response) => {
      if (request.headers.origin !== undefined) return false;
      void answer(request, response);
      return true;
    };
  };
}

function requiredToken({ token }: Readonly<Record<string, string>>): string {
  if (token !== undefined) return token;
  throw invalidField('token', 'is required');
}
