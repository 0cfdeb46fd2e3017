import type { Node } from '../node/node.ts';

/**
 * This node serves with the changed keys or clients when this resolves. A failed read is not the
 * caller's: the change is committed, what it revokes was applied with the append, and the poll
 * brings the rest as soon as it can.
 */
export async function refreshMemory(
  node: Pick<Node, 'refreshMemory'>,
  log: { warn(fields: object, message: string): void },
): Promise<void> {
  try {
    await node.refreshMemory();
  } catch (error) {
    log.warn({ err: error }, 'changed keys or clients could not be read back yet');
  }
}
