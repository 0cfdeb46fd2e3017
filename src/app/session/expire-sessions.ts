import { type DeviceType, deviceTypes } from '@latchkey/contract/device-type';
import { limits } from '../../domain/kernel/limits.ts';
import { idleSecondsFor, lifetimesFor } from '../../domain/session/lifetimes.ts';
import type { SealedReaders } from '../../eventlog/record-seal.ts';
import {
  type EarlyEnd,
  findEarlySessions,
  findExpiredSessions,
  type SessionExpiry,
  type SessionRecord,
} from '../../tables/session.ts';
import type { By } from '../by.ts';
import { type ExpiringNode, expireSession } from './expire-session.ts';

interface SweepingNode extends ExpiringNode {
  /** Epoch milliseconds. */
  readonly now: () => number;
}

interface Sweep {
  /** Of the cell whose sessions it goes through. */
  readonly readers: SealedReaders;
  /** Where it begins. */
  readonly after: SessionExpiry;
  /** Aborted, it stops between two batches. */
  readonly signal: AbortSignal;
  /** Hears of each batch how many sessions it has ended. */
  readonly onEnded: (count: number) => void;
}

/** Before every session. */
export const fromTheStart: SessionExpiry = {
  expiresAt: 0,
  sessionId: '00000000-0000-0000-0000-000000000000',
};

/** So many at a time share one transaction of the writer. */
const batchSize = limits.batchCommandsMax;
const pageSize = 1_000;
const pagesMax = 100;

/** Ends every live session whose absolute life is over. Raises `unavailable`. */
export async function expireOverdueSessions(
  node: SweepingNode,
  { readers, after: start, signal, onEnded }: Sweep,
  by: By,
): Promise<void> {
  const now = node.now();
  let after = start;
  while (!signal.aborted) {
    const found = await findExpiredSessions(readers, { now, after, limit: batchSize });
    const ended = await expireAll(node, found, { now, by });
    onEnded(ended);
    const last = found.at(-1);
    if (last === undefined) return;
    after = { expiresAt: last.state.expiresAt, sessionId: last.sessionId };
    // Nothing ended: another worker has taken them all.
    if (found.length < batchSize || ended === 0) return;
  }
}

/**
 * Ends sessions that are idle, or older than the life configured now. No index knows when a session
 * was last refreshed, as that would make every refresh dearer. So it looks through a bounded number
 * of the live ones, and answers where the next call begins: `fromTheStart` after the last of them.
 * Raises `unavailable`.
 */
export async function expireEarlySessions(
  node: SweepingNode,
  { readers, after: start, signal, onEnded }: Sweep,
  by: By,
): Promise<SessionExpiry> {
  let after = start;
  for (let page = 0; page < pagesMax && !signal.aborted; page += 1) {
    const now = node.now();
    const ends = deviceTypes.map((type) => earlyEnd(node.config, type, now));
    const found = await findEarlySessions(readers, { after, limit: pageSize, ends });
    for (let from = 0; from < found.sessionIds.length; from += batchSize) {
      const batch = found.sessionIds.slice(from, from + batchSize);
      onEnded(await expireAll(node, batch, { now, by }));
    }
    if (found.next === null) return fromTheStart;
    after = found.next;
  }
  return after;
}

async function expireAll(
  node: ExpiringNode,
  sessions: readonly (SessionRecord | string)[],
  { now, by }: { readonly now: number; readonly by: By },
): Promise<number> {
  const outcomes = await Promise.all(
    sessions.map((session) => expireSession(node, { session, now }, by)),
  );
  return outcomes.filter(Boolean).length;
}

function earlyEnd(
  { sessions, lifetimes }: ExpiringNode['config'],
  deviceType: DeviceType,
  now: number,
): EarlyEnd {
  const idleSeconds = idleSecondsFor(deviceType, sessions.idleSeconds, lifetimes);
  const { sessionTtlSeconds } = lifetimesFor(deviceType, lifetimes);
  return {
    deviceType,
    refreshedUntil: idleSeconds === 0 ? 0 : now - idleSeconds * 1000,
    startedUntil: now - sessionTtlSeconds * 1000,
  };
}
