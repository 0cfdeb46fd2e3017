import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import { type AddressRange, isTrustedPeer } from '../../platform/client-address.ts';

/** Where a proxy of one's own stands: such an address is no person's. */
const ownRanges = ['private', 'uniqueLocal', 'loopback', 'linkLocal', 'carrierGradeNat'];

/**
 * Warns once in the life of a process when a peer that is not a trusted proxy says for whom it
 * asks: without TRUSTED_PROXIES all who come through a proxy share its address and its rate limits.
 */
export function createForwardingWatch(
  trusted: readonly AddressRange[],
  log: { warn(fields: object, message: string): void },
): (request: Pick<IncomingMessage, 'headers' | 'socket'>) => void {
  let warned = false;
  return ({ headers, socket: { remoteAddress } }) => {
    if (warned) return;
    const header = ['x-forwarded-for', 'forwarded'].find((name) => headers[name] !== undefined);
    if (header === undefined || isTrustedPeer(remoteAddress, trusted)) return;
    warned = true;
    log.warn(
      { header, ...ownAddress(remoteAddress) },
      'TRUSTED_PROXIES does not name a peer that says for whom it asks, and it is not believed: ' +
        'if it is your proxy, all its clients share one address and one rate limit.',
    );
  };
}

function ownAddress(text: string | undefined): { peer?: string } {
  if (text === undefined || !ipaddr.isValid(text)) return {};
  const address = ipaddr.process(text);
  return ownRanges.includes(address.range()) ? { peer: address.toString() } : {};
}
