import { describe, expect, it } from 'vitest';
import { evolveSession, initialSession } from '../../src/domain/session/state.ts';
import type { Command } from '../../src/eventlog/command.ts';
import { applyEndedSession, applyRevocations } from '../../src/node/applied-revocations.ts';
import type { NodeMemory } from '../../src/node/node-memory.ts';
import { revocationOfClient, revocationRow } from '../../src/tables/revocation.ts';
import type { SessionRecord } from '../../src/tables/session.ts';
import { webStarted } from '../domain/session/sessions.ts';

/** A memory that notes what it is told. */
function noting() {
  const revoked: unknown[] = [];
  const memory = { revoke: (revocation: unknown) => void revoked.push(revocation) };
  return { revoked, memory: memory as unknown as NodeMemory };
}

describe('the revocations of a command', () => {
  // Fails when a field is lost between the decision and the memory of the node that made it.
  it('are known to the node that appended it, as they were decided', () => {
    const { revoked, memory } = noting();
    const data = { at: 1_760_000_000_000, epoch: 2 };
    const revocation = revocationOfClient('gateway', { type: 'ClientDisabled', data });
    const rows = { revocations: [revocationRow('gateway', 0, revocation)] };
    applyRevocations(memory, { rows } as unknown as Command);
    expect(revoked).toEqual([revocation]);
  });

  it('are none where it revokes nothing', () => {
    const { revoked, memory } = noting();
    applyRevocations(memory, { rows: {} } as Command);
    expect(revoked).toEqual([]);
  });
});

describe('a session that another node has ended', () => {
  const minuteMs = 60_000;
  const startedAgo = (ago: number, endedAgo?: number) => {
    const now = Date.now();
    const at = now - ago;
    const expiresAt = at + 3_600_000;
    const live = evolveSession(initialSession, {
      ...webStarted,
      data: { ...webStarted.data, at, expiresAt },
    });
    const state =
      endedAgo === undefined
        ? live
        : evolveSession(live, {
            type: 'SessionRevoked',
            data: { at: now - endedAgo, reason: 'logout' },
          });
    return { sessionId: 'a session', state } as SessionRecord;
  };

  it('is refused here too, while a token of it may live', () => {
    const { revoked, memory } = noting();
    applyEndedSession(memory, startedAgo(minuteMs, 0));
    expect(revoked).toEqual([
      expect.objectContaining({ targetKind: 'session', target: 'a session' }),
    ]);
  });

  it('is forgotten once none does', () => {
    const { revoked, memory } = noting();
    applyEndedSession(memory, startedAgo(60 * minuteMs, 20 * minuteMs));
    expect(revoked).toEqual([]);
  });

  it('is not refused while it lives', () => {
    const { revoked, memory } = noting();
    applyEndedSession(memory, startedAgo(minuteMs));
    expect(revoked).toEqual([]);
  });
});
