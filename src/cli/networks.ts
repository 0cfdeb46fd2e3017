import { createInterface } from 'node:readline';
import { loadConfig } from '../node/config.ts';
import { networkNames } from '../node/refused-networks.ts';
import { networkOf } from '../platform/client-address.ts';
import { withOpenLog } from './open-log.ts';

/**
 * Prints each network of these addresses once, with the name that it has in log lines. Without
 * addresses it reads the first word of each line of standard input, as access logs have it.
 */
export async function networksName(addresses: readonly string[]): Promise<void> {
  const networks = new Set<string>();
  const given = addresses.length > 0 ? addresses : createInterface({ input: process.stdin });
  for await (const line of given) {
    const [address = ''] = line.trim().split(/\s+/);
    if (address !== '') networks.add(networkOf(address));
  }
  await withOpenLog(loadConfig(), 'latchkey networks', async ({ secrets }) => {
    const nameOf = networkNames(secrets.recordSealKey);
    for (const network of networks) console.log(`${nameOf(network)} ${network}`);
  });
}
