import { slotCount } from '@latchkey/contract/slot';
import { Lease, LogLeases } from '@latchkey/verifier/lease';
import { describe, expect, test } from 'vitest';
import { start } from './token-world.ts';

const at = (wallLater: number, monotonicLater = wallLater) => ({
  now: start + wallLater,
  monotonicNow: 1_000 + monotonicLater,
});

function leaseFrom(policy: 'refuse' | 'serve' = 'refuse') {
  return new Lease({ leaseSeconds: 30, policy });
}

describe('a lease', () => {
  test('allows nothing before the first poll, whatever the policy', () => {
    for (const policy of ['refuse', 'serve'] as const) {
      expect(leaseFrom(policy).allows(at(0))).toBe(false);
      expect(leaseFrom(policy).ageSeconds(at(0))).toBe(Number.POSITIVE_INFINITY);
    }
  });

  test('is fresh until the length of the lease after the start of the poll', () => {
    const lease = leaseFrom();
    lease.renew(at(0));
    expect(lease.allows(at(29_999))).toBe(true);
    expect(lease.allows(at(30_000))).toBe(false);
    expect(lease.ageSeconds(at(30_000))).toBe(30);
  });

  // Fails when: either clock is left out of isFresh.
  test('ends by either clock: a machine that slept, a clock that was set back', () => {
    const lease = leaseFrom();
    lease.renew(at(0));
    expect(lease.isFresh(at(3_600_000, 10))).toBe(false);
    expect(lease.isFresh(at(-3_600_000, 30_000))).toBe(false);
    expect(lease.isFresh(at(-3_600_000, 10))).toBe(true);
    expect(lease.isFresh(at(29_999, 10))).toBe(true);
    expect(lease.isFresh(at(30_000, 10))).toBe(false);
  });

  test('is as old as the clock says that has gone further', () => {
    const lease = leaseFrom();
    lease.renew(at(0));
    expect(lease.ageSeconds(at(5_000, 10_000))).toBe(10);
    expect(lease.ageSeconds(at(10_000, 5_000))).toBe(10);
  });

  // Fails when: renew takes whatever start comes last.
  test('is not shortened by the answer of an older poll', () => {
    const lease = leaseFrom();
    lease.renew(at(10_000));
    lease.renew(at(0));
    expect(lease.isFresh(at(39_999))).toBe(true);
    expect(lease.isFresh(at(40_000))).toBe(false);
  });

  test('may be overdrawn only by policy', () => {
    const lease = leaseFrom('serve');
    lease.renew(at(0));
    expect(lease.isFresh(at(31_000))).toBe(false);
    expect(lease.allows(at(31_000))).toBe(true);
  });
});

describe('the leases on several logs', () => {
  const terms = { leaseSeconds: 30, policy: 'refuse' } as const;

  test('allow nothing of a slot that is in no log', () => {
    const leases = new LogLeases(terms);
    leases.put('a', [1]);
    leases.ofLog('a').renew(at(0));
    expect(leases.ofSlot(1).allows(at(0))).toBe(true);
    for (const slot of [0, 2, slotCount - 1]) {
      expect(leases.ofSlot(slot).allows(at(0))).toBe(false);
    }
  });

  test('hold for every slot when one log has them all', () => {
    const leases = new LogLeases(terms);
    leases.put('a');
    leases.ofLog('a').renew(at(0));
    for (const slot of [0, slotCount - 1]) expect(leases.ofSlot(slot)).toBe(leases.ofLog('a'));
  });

  // Fails when the outage of one log makes a node say that it verifies nothing, or all.
  test('say of all logs what is left, and what is behind', () => {
    const leases = new LogLeases(terms);
    expect(leases.allowsSome(at(0))).toBe(false);
    expect(leases.areFresh(at(0))).toBe(false);
    expect(leases.ageSeconds(at(0))).toBe(Number.POSITIVE_INFINITY);
    leases.ofLog('a').renew(at(0));
    leases.ofLog('b').renew(at(20_000));
    expect(leases.areFresh(at(20_000))).toBe(true);
    expect(leases.areFresh(at(40_000))).toBe(false);
    expect(leases.allowsSome(at(40_000))).toBe(true);
    expect(leases.allowsSome(at(50_000))).toBe(false);
    expect(leases.ageSeconds(at(40_000))).toBe(40);
  });
});
