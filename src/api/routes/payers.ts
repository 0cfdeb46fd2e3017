import type { Payers } from '../../domain/kernel/budgets.ts';
import type { RequestContext } from '../http/request-context.ts';

/** Where a request comes from pays. */
export function byAddress({ context }: { readonly context: RequestContext }): Payers {
  return { address: context.address };
}

/** Where a request for a mail comes from pays, and the mailbox that gets it. */
export function byMailbox({
  body,
  context,
}: {
  readonly body: { readonly email: string };
  readonly context: RequestContext;
}): Payers {
  return { address: context.address, name: body.email };
}
