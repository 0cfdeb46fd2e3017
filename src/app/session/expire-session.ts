import { type ClockSettings, clockFor } from '../../domain/session/lifetimes.ts';
import type { Node } from '../../node/node.ts';
import { findSession, type SessionRecord } from '../../tables/session.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { changeSession } from './change-session.ts';

export interface ExpiringNode extends Pick<Node, 'cells'> {
  readonly config: ClockSettings;
}

/**
 * Ends a session whose absolute life or idle time is over at `now`; any other is left as it is. The
 * first try decides on the record that was read. Answers whether this call ended it. Raises
 * `unavailable`.
 */
export async function expireSession(
  { config, cells }: ExpiringNode,
  { session, now }: { readonly session: SessionRecord; readonly now: number },
  by: By,
): Promise<boolean> {
  const { sessionId } = session;
  const { readers, handler } = cells.of(sessionId);
  let known: SessionRecord | null = session;
  return handler.run(sessionId, async () => {
    const current = known ?? (await findSession(readers, sessionId));
    known = null;
    if (current === null) return unchanged(() => false);
    const change = changeSession(sessionId, current, {
      type: 'ExpireSession',
      now,
      ...clockFor(current.state.deviceType, config),
    });
    return append(by, [change], () => change.events.length > 0);
  });
}
