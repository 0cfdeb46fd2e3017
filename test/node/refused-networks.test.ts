import { describe, expect, it } from 'vitest';
import { RefusedNetworks } from '../../src/node/refused-networks.ts';

const minuteMs = 60_000;

function watch(warnAfter = 10) {
  const lines: { network: string; refusals: number }[] = [];
  const counted: number[] = [];
  let now = 1;
  const networks = new RefusedNetworks({
    secret: Buffer.from('shared by all nodes'),
    warnAfter,
    told: { inc: () => void counted.push(1) },
    log: { warn: (fields) => void lines.push(fields as (typeof lines)[number]) },
    now: () => now,
  });
  const refuse = (address: string, times: number) => {
    for (let each = 0; each < times; each += 1) networks.refused(address);
  };
  const later = (ms: number) => {
    now += ms;
  };
  return { refuse, later, lines, counted };
}

describe('networks that are refused often', () => {
  it('are told of once an hour, at the configured number of refusals', () => {
    const { refuse, later, lines, counted } = watch();
    refuse('192.0.2.1', 9);
    expect(lines).toEqual([]);
    refuse('192.0.2.250', 200);
    expect(lines).toMatchObject([{ refusals: 10 }]);
    later(59 * minuteMs);
    refuse('192.0.2.1', 10);
    expect(lines).toHaveLength(1);
    later(2 * minuteMs);
    refuse('192.0.2.1', 10);
    expect(lines).toHaveLength(2);
    expect(counted).toHaveLength(2);
  });

  it('are a /24 of IPv4 and a /48 of IPv6, and no other pays for them', () => {
    const { refuse, lines } = watch();
    for (let host = 0; host < 10; host += 1) {
      refuse(`198.51.100.${host}`, 1);
      refuse(`2001:db8:7:${host}::1`, 1);
      refuse(`203.0.${host}.1`, 1);
    }
    expect(lines).toHaveLength(2);
    expect(lines[0]!.network).not.toBe(lines[1]!.network);
  });

  // Fails when a line holds the address or a part of it, or a hash that needs no key.
  it('are named without their address, by every node alike', () => {
    const [one, other] = [watch(), watch()];
    one.refuse('192.0.2.1', 10);
    other.refuse('192.0.2.99', 10);
    expect(one.lines[0]!.network).toMatch(/^[\w-]{16}$/);
    expect(other.lines).toEqual(one.lines);
    expect(JSON.stringify(one.lines)).not.toMatch(/192|0\.2/);
  });

  it('are not told of at all with 0', () => {
    const { refuse, lines } = watch(0);
    refuse('192.0.2.1', 1_000);
    expect(lines).toEqual([]);
  });
});
