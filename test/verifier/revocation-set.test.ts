import { randomUUID } from 'node:crypto';
import { parseId } from '@latchkey/verifier/internal/id-table';
import type { Revocation } from '@latchkey/verifier/revocation-set';
import { RevocationSet } from '@latchkey/verifier/revocation-set';
import { describe, expect, test } from 'vitest';
import { clientId, sessionId, start, userId } from './token-world.ts';

const idOf = (text: string) => parseId(text) ?? expect.fail(`${text} is no id`);
const untilMs = start + 60_000;

const everything: Revocation[] = [
  { kind: 'session', id: sessionId, untilMs },
  { kind: 'kid', id: 'kid-1', untilMs },
  { kind: 'user', id: userId, epoch: 2, untilMs },
  { kind: 'client', id: clientId, epoch: 1, untilMs },
  { kind: 'roles', id: userId, epoch: 4, untilMs },
];

function contentOf(set: RevocationSet) {
  return {
    size: set.size,
    session: set.hasSession(idOf(sessionId)),
    kid: set.hasKid('kid-1'),
    user: set.userEpoch(idOf(userId)),
    client: set.clientEpoch(idOf(clientId)),
    roles: set.rolesEpoch(idOf(userId)),
  };
}

const full = { size: 5, session: true, kid: true, user: 2, client: 1, roles: 4 };
const nothing = { session: false, kid: false, user: -1, client: -1, roles: -1 };
const empty = { size: 0, ...nothing };

describe('a revocation set', () => {
  test('is the same however often and in whatever order its entries come', () => {
    for (const order of [everything, [...everything].reverse(), [...everything, ...everything]]) {
      const set = new RevocationSet({ clockSkewSeconds: 5 });
      expect(contentOf(set)).toEqual(empty);
      for (const revocation of order) set.apply(revocation);
      expect(contentOf(set)).toEqual(full);
    }
  });

  // Fails when: an epoch is replaced instead of raised.
  test('keeps the highest epoch of a user', () => {
    const set = new RevocationSet({ clockSkewSeconds: 0 });
    set.apply({ kind: 'user', id: userId, epoch: 7, untilMs });
    set.apply({ kind: 'user', id: userId, epoch: 6, untilMs });
    expect(set.userEpoch(idOf(userId))).toBe(7);
  });

  // Fails when: an end is replaced instead of extended.
  test('keeps the latest end of an entry', () => {
    const set = new RevocationSet({ clockSkewSeconds: 0 });
    for (const revocation of everything) set.apply(revocation);
    for (const revocation of everything) set.apply({ ...revocation, untilMs: start });
    set.prune(untilMs - 1);
    expect(contentOf(set)).toEqual(full);
  });

  // Fails when: apply does not add the skew, or rounds the end down.
  test('forgets an entry once its tokens have expired, the skew included, and not before', () => {
    const set = new RevocationSet({ clockSkewSeconds: 5 });
    for (const revocation of everything) set.apply({ ...revocation, untilMs: untilMs + 1 });
    set.prune(untilMs + 5_001);
    expect(contentOf(set)).toEqual(full);
    set.prune(untilMs + 6_000);
    expect(contentOf(set)).toEqual(empty);
    expect(set.prunedThroughMs).toBe(untilMs + 6_000);
  });

  test('takes epochs from 0 to the greatest that a table holds', () => {
    for (const epoch of [0, 2 ** 31 - 1]) {
      const set = new RevocationSet({ clockSkewSeconds: 5 });
      set.apply({ kind: 'user', id: userId, epoch, untilMs });
      expect(set.userEpoch(idOf(userId))).toBe(epoch);
    }
  });

  // Fails when: a share of the set is pruned as if it were all, or none is.
  test('is pruned by shares, and wholly in the end', () => {
    const set = new RevocationSet({ clockSkewSeconds: 0 });
    for (let count = 0; count < 2_000; count++) {
      set.apply({ kind: 'session', id: randomUUID(), untilMs: start });
    }
    for (const share of [0.5, 0.001]) {
      const before = set.size;
      set.prune(start, share);
      expect(set.size).toBeLessThan(before);
      expect(set.size).toBeGreaterThan(0);
    }
    set.prune(start, 0.5);
    expect(set.size).toBe(0);
    set.prune(start - 1);
    expect(set.prunedThroughMs).toBe(start);
  });

  test('says how much memory its tables take', () => {
    const set = new RevocationSet({ clockSkewSeconds: 0 });
    const grown = () => {
      const before = set.bytes;
      return (kind: 'session' | 'user' | 'client' | 'roles') => {
        for (let count = 0; count < 2_000; count++) {
          set.apply({ kind, id: randomUUID(), epoch: 1, untilMs } as Revocation);
        }
        return set.bytes - before;
      };
    };
    for (const kind of ['session', 'user', 'client', 'roles'] as const) {
      expect(grown()(kind), kind).toBeGreaterThan(2_000 * 24);
    }
  });

  // Fails when: such an entry is skipped.
  test('refuses to skip an entry that it does not understand', () => {
    const set = new RevocationSet({ clockSkewSeconds: 5 });
    const odd = [
      { kind: 'session', id: 'not an id', untilMs },
      { kind: 'session', id: sessionId, untilMs: Number.NaN },
      { kind: 'user', id: userId, epoch: -1, untilMs },
      { kind: 'user', id: userId, epoch: 2 ** 31, untilMs },
      { kind: 'client', id: clientId, untilMs },
      { kind: 'roles', id: userId, epoch: 1.5, untilMs },
      { kind: 'device', id: sessionId, untilMs },
    ] as Revocation[];
    for (const revocation of odd) expect(() => set.apply(revocation)).toThrow(/revocation/);
    expect(contentOf(set)).toEqual(empty);
  });
});
