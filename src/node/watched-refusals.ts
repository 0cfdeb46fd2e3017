import type { Node } from './node.ts';
import { RefusedNetworks } from './refused-networks.ts';

/** Takes the address of each refusal of this node. */
export function watchedRefusals(
  { config, secrets, metrics }: Pick<Node, 'config' | 'secrets' | 'metrics'>,
  log: { warn(fields: object, message: string): void },
): (address: string) => void {
  const networks = new RefusedNetworks({
    secret: secrets.recordSealKey,
    warnAfter: config.http.networkRefusalsWarn,
    told: metrics.abuse.refusedNetworks,
    log,
  });
  return (address) => networks.refused(address);
}
