import { describe, expect, it } from 'vitest';
import {
  addressGroup,
  clientAddress,
  parseTrustedProxies,
} from '../../../src/platform/client-address.ts';

const trusted = parseTrustedProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']);

// Tried, and failed here: walking on past a hop that is not trusted.
describe('the client address', () => {
  it.each([
    ['the peer, when nobody is trusted', '203.0.113.9', '1.1.1.1', '203.0.113.9'],
    [
      'the peer, when it claims to be a proxy and is none',
      '203.0.113.9',
      '10.0.0.1',
      '203.0.113.9',
    ],
    ['what a proxy reports', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    [
      'the last untrusted hop, whatever is left of it',
      '10.0.0.1',
      '6.6.6.6, 203.0.113.9, 10.9.9.9',
      '203.0.113.9',
    ],
    ['the leftmost, when every hop is trusted', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['the proxy itself, when it reports noise', '10.0.0.1', '203.0.113.9, unknown', '10.0.0.1'],
    ['the proxy itself, when it reports nothing', '10.0.0.1', undefined, '10.0.0.1'],
    ['IPv4, also in IPv6 spelling', '::ffff:10.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
    ['without the port', 'fd00::1', '[2001:db8::1]:443', '2001:db8::1'],
    ['without the port in IPv4', '192.0.2.7', '203.0.113.9:5000', '203.0.113.9'],
    ['no octal reading', '10.0.0.1', '0177.0.0.1', '10.0.0.1'],
  ])('is %s', (_, peer, forwarded, expected) => {
    const proxies = _.includes('nobody') ? [] : trusted;
    expect(clientAddress(peer, forwarded, proxies)).toBe(expected);
  });

  it('is unknown on a socket without one', () => {
    expect(clientAddress(undefined, '203.0.113.9', trusted)).toBe('unknown');
  });

  it('refuses a proxy list that it cannot read, naming the entry', () => {
    expect(() => parseTrustedProxies(['10.0.0.0/33'])).toThrow('"10.0.0.0/33"');
    expect(() => parseTrustedProxies(['proxy.example'])).toThrow('"proxy.example"');
  });

  it('shares a limit by /64 in IPv6, alone in IPv4', () => {
    expect(addressGroup('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
    expect(addressGroup('2001:db8:1:2::')).toBe('2001:db8:1:2::/64');
    expect(addressGroup('203.0.113.9')).toBe('203.0.113.9');
  });
});
