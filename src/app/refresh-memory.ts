import type { RequestContext } from '../api/http/request-context.ts';
import type { Services } from '../node/services.ts';

/**
 * This node serves with the changed keys or clients when this resolves. A failed read is not the
 * caller's: the change is committed, what it revokes was applied with the append, and the poll
 * brings the rest as soon as it can.
 */
export async function refreshMemory(
  services: Pick<Services, 'refreshMemory'>,
  context: Pick<RequestContext, 'log'>,
): Promise<void> {
  try {
    await services.refreshMemory();
  } catch (error) {
    context.log.warn({ err: error }, 'changed keys or clients could not be read back yet');
  }
}
