import type { Node } from '../../node/node.ts';
import type { By } from '../by.ts';
import { type ClientSwitch, switchClient } from './switch-client.ts';

/**
 * Ends every access token that a client has: every node refuses it within a poll. A retry under
 * the same Idempotency-Key ends no later ones. Raises `not_found`, `conflict` (disabled),
 * `unavailable`.
 */
export function endClientTokens(node: Node, of: ClientSwitch, by: By): Promise<void> {
  return switchClient(node, of, 'RaiseClientEpoch', by);
}
