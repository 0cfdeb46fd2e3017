import type { Node } from '../../node/node.ts';
import type { By } from '../by.ts';
import { type ClientSwitch, switchClient } from './switch-client.ts';

/**
 * Ends the older of a client's two secrets: the newest stays good. A retry under the same
 * Idempotency-Key ends nothing more. Raises `not_found`, `conflict` (public or disabled),
 * `unavailable`.
 */
export function endOlderSecret(node: Node, of: ClientSwitch, by: By): Promise<void> {
  return switchClient(node, of, 'EndOlderSecret', by);
}
