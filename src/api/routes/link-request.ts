import { type MailProofRequest, requestMailProof } from '../../app/user/request-mail-proof.ts';
import type { Node } from '../../node/node.ts';
import { none } from '../http/auth.ts';
import { reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { byMailbox } from './payers.ts';
import { mailboxSchema } from './schemas.ts';

interface LinkRequest {
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: string[];
  readonly purpose: MailProofRequest['purpose'];
}

/** Asks for a link by mail: whatever the address, the answer is the same, also in time. */
export function linkRequestRoute(node: Node, { purpose, ...described }: LinkRequest): Route {
  return route({
    ...described,
    method: 'post',
    auth: none,
    floor: 'always',
    limit: { budget: 'mail', by: byMailbox },
    body: mailboxSchema,
    responses: { 202: { description: 'A mail is on its way, if a user has the address' } },
    handler: async ({ body, context }) => {
      await requestMailProof(node, { email: body.email, purpose }, context);
      return reply(202);
    },
  });
}
