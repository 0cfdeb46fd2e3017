import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type AddressRange = [Address, number];

/**
 * The ranges of TRUSTED_PROXIES, each a CIDR or a single address. Raises an Error that names a bad
 * entry.
 */
export function parseTrustedProxies(entries: readonly string[]): AddressRange[] {
  return entries.map((entry) => {
    try {
      if (entry.includes('/')) return ipaddr.parseCIDR(entry);
      const address = ipaddr.process(entry);
      return [address, address.kind() === 'ipv4' ? 32 : 128];
    } catch {
      throw new Error(`TRUSTED_PROXIES: ${JSON.stringify(entry)} is not an address or a CIDR`);
    }
  });
}

/**
 * The client's address. X-Forwarded-For is read from the right, and a hop is believed only when the
 * one that reported it is a trusted proxy; the first that is not trusted is the client.
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  trusted: readonly AddressRange[],
): string {
  let address = parseAddress(peer);
  if (address === null) return 'unknown';
  if (forwardedFor === undefined || trusted.length === 0) return address.toString();
  for (const hop of forwardedFor.split(',').reverse()) {
    if (!isTrusted(address, trusted)) break;
    const reported = parseAddress(hop);
    if (reported === null) break;
    address = reported;
  }
  return address.toString();
}

/** Whether the peer of a connection is one of our own proxies. */
export function isTrustedPeer(peer: string | undefined, trusted: readonly AddressRange[]): boolean {
  if (trusted.length === 0) return false;
  const address = parseAddress(peer);
  return address !== null && isTrusted(address, trusted);
}

/** What shares one rate limit: an IPv4 address, or the /64 that one IPv6 customer holds. */
export function addressGroup(address: string): string {
  const parsed = parseAddress(address);
  if (parsed === null || parsed.kind() === 'ipv4') return address;
  const prefix = (parsed as ipaddr.IPv6).parts.slice(0, 4).map((part) => part.toString(16));
  return `${prefix.join(':')}::/64`;
}

/** What shares a place in a queue, and wider limits: a /24 of IPv4, or the /48 of one IPv6 site. */
export function networkOf(address: string): string {
  const parsed = parseAddress(address);
  if (parsed === null) return address;
  if (parsed.kind() === 'ipv4')
    return `${(parsed as ipaddr.IPv4).octets.slice(0, 3).join('.')}.0/24`;
  const prefix = (parsed as ipaddr.IPv6).parts.slice(0, 3).map((part) => part.toString(16));
  return `${prefix.join(':')}::/48`;
}

function isTrusted(address: Address, trusted: readonly AddressRange[]): boolean {
  return trusted.some(([network, bits]) => {
    if (network.kind() !== address.kind()) return false;
    return network.kind() === 'ipv4'
      ? (address as ipaddr.IPv4).match(network as ipaddr.IPv4, bits)
      : (address as ipaddr.IPv6).match(network as ipaddr.IPv6, bits);
  });
}

function parseAddress(text: string | undefined): Address | null {
  const trimmed = (text ?? '').trim();
  const bare =
    /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed)?.[1] ??
    /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(trimmed)?.[1] ??
    trimmed;
  const fourParts = ipaddr.IPv4.isValidFourPartDecimal(bare);
  if (!fourParts && !ipaddr.IPv6.isValid(bare)) return null;
  return ipaddr.process(bare);
}
