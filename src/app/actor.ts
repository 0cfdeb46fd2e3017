import type { RequestContext } from '../api/http/request-context.ts';
import type { EventMeta } from '../eventlog/command.ts';

/** The `meta` of every event that a request causes. */
export function metaOf(context: Pick<RequestContext, 'meta'>): EventMeta {
  const { request_id, correlation_id, actor } = context.meta();
  return { request_id, correlation_id, actor: actor.id };
}
