import { type DeviceType, deviceTypes } from '@latchkey/contract/device-type';
import { limits } from '../../domain/kernel/limits.ts';
import { type ClockSettings, clockFor } from '../../domain/session/lifetimes.ts';
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

interface EarlySweep extends Sweep {
  readonly onPassed: (place: SessionExpiry) => void;
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
/** So many batches one after the other in which nothing could be ended: it is not the sessions. */
const fruitlessBatchesMax = 10;

/**
 * Ends every live session whose absolute life is over. One that cannot be ended keeps no other from
 * its end; its error is raised afterwards: `unavailable`.
 */
export async function expireOverdueSessions(
  node: SweepingNode,
  { readers, after: start, signal, onEnded }: Sweep,
  by: By,
): Promise<void> {
  const now = node.now();
  const failures = new Failures();
  let after: SessionExpiry | null = start;
  while (after !== null && !signal.aborted) {
    const page = await findExpiredSessions(readers, { now, after, limit: batchSize });
    const outcome = await expireAll(node, page.sessions, { now, by });
    onEnded(outcome.ended);
    failures.add(outcome);
    // Nothing ended: another worker has taken them all.
    if (page.sessions.length > 0 && outcome.ended + outcome.failed.length === 0) break;
    after = page.next;
  }
  failures.raise();
}

/**
 * Ends sessions that are idle, or older than the life configured now. No index knows when a session
 * was last refreshed, as that would make every refresh dearer. So it looks through a bounded number
 * of the live ones, and tells `onPassed` after each page where the next call begins: `fromTheStart`
 * after the last of them. Raises as above.
 */
export async function expireEarlySessions(
  node: SweepingNode,
  { readers, after: start, signal, onEnded, onPassed }: EarlySweep,
  by: By,
): Promise<void> {
  const failures = new Failures();
  let after: SessionExpiry | null = start;
  for (let page = 0; page < pagesMax && after !== null && !signal.aborted; page += 1) {
    const now = node.now();
    const ends = deviceTypes.map((type) => earlyEnd(node.config, type, now));
    const found = await findEarlySessions(readers, { after, limit: pageSize, ends });
    for (let from = 0; from < found.sessions.length; from += batchSize) {
      const batch = found.sessions.slice(from, from + batchSize);
      const outcome = await expireAll(node, batch, { now, by });
      onEnded(outcome.ended);
      failures.add(outcome);
    }
    onPassed(found.next ?? fromTheStart);
    after = found.next;
  }
  failures.raise();
}

interface Outcome {
  readonly ended: number;
  readonly failed: readonly unknown[];
}

/** Of sessions that could not be ended: the sweep goes on while others can be. */
class Failures {
  #first: { readonly error: unknown } | null = null;
  #fruitless = 0;

  add({ ended, failed }: Outcome): void {
    if (failed.length > 0) this.#first ??= { error: failed[0] };
    this.#fruitless = failed.length > 0 && ended === 0 ? this.#fruitless + 1 : 0;
    if (this.#fruitless === fruitlessBatchesMax) this.raise();
  }

  raise(): void {
    if (this.#first !== null) throw this.#first.error;
  }
}

async function expireAll(
  node: ExpiringNode,
  sessions: readonly SessionRecord[],
  { now, by }: { readonly now: number; readonly by: By },
): Promise<Outcome> {
  const outcomes = await Promise.allSettled(
    sessions.map((session) => expireSession(node, { session, now }, by)),
  );
  return {
    ended: outcomes.filter((each) => each.status === 'fulfilled' && each.value).length,
    failed: outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : [])),
  };
}

function earlyEnd(config: ClockSettings, deviceType: DeviceType, now: number): EarlyEnd {
  const { idleSeconds, sessionTtlSeconds } = clockFor(deviceType, config);
  return {
    deviceType,
    refreshedUntil: idleSeconds === 0 ? 0 : now - idleSeconds * 1000,
    startedUntil: now - sessionTtlSeconds * 1000,
  };
}
