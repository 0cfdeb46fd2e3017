import type { ClientEvent } from '../domain/client/events.ts';
import { limits } from '../domain/kernel/limits.ts';
import type { KeysetEvent } from '../domain/keyset/events.ts';
import type { SessionEvent } from '../domain/session/events.ts';
import type { SessionState } from '../domain/session/state.ts';
import type { UserEvent } from '../domain/user/events.ts';
import type { RevocationRow } from '../eventlog/command.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { safeInteger } from '../eventlog/read.ts';
import { fromTimestamp, toTimestamp } from './columns.ts';

/**
 * `roles`: tokens of the user with a lower epoch may lack a role that the user has; they stay good.
 * `keyset` and `client` entries also say: what you hold in memory of it is old, read it again.
 */
export type RevocationTarget = 'session' | 'user' | 'roles' | 'client' | 'kid' | 'keyset';

export interface Revocation {
  readonly targetKind: RevocationTarget;
  readonly target: string;
  /** The new epoch of a user (`user`, `roles`) or client. */
  readonly epoch: number | null;
  /** Epoch milliseconds: by then every token it kills has expired. */
  readonly until: number;
}

const marginMs = limits.revocationMarginSeconds * 1000;
const longestAccessLifeMs = limits.accessTokenTtlSecondsMax * 1000;

/** What an event of a session revokes; `state` is the session after it. */
export function revocationOfSession(
  sessionId: string,
  state: SessionState,
  event: SessionEvent,
): Revocation | null {
  const ends =
    event.type === 'SessionRevoked' ||
    (event.type === 'SessionExpired' && event.data.cause === 'idle');
  if (!ends) return null;
  // A retry of the last refresh may have been answered with a fresh token until this very moment.
  const accessLifeMs = state.accessExpiresAt - state.refreshedAt;
  const until = Math.max(state.accessExpiresAt, event.data.at + accessLifeMs) + marginMs;
  return { targetKind: 'session', target: sessionId, epoch: null, until };
}

export function revocationOfUser(userId: string, event: UserEvent): Revocation | null {
  if (!('epoch' in event.data)) return null;
  return {
    targetKind: event.type === 'RoleGranted' ? 'roles' : 'user',
    target: userId,
    epoch: event.data.epoch,
    until: event.data.at + longestAccessLifeMs + marginMs,
  };
}

export function revocationOfClient(clientId: string, event: ClientEvent): Revocation {
  return {
    targetKind: 'client',
    target: clientId,
    epoch: event.type === 'ClientDisabled' ? event.data.epoch : null,
    until: event.data.at + longestAccessLifeMs + marginMs,
  };
}

export function revocationOfKeyset(keysetId: string, event: KeysetEvent): Revocation {
  const until = event.data.at + longestAccessLifeMs + marginMs;
  return event.type === 'KeyRevoked'
    ? { targetKind: 'kid', target: event.data.kid, epoch: null, until }
    : { targetKind: 'keyset', target: keysetId, epoch: null, until };
}

/**
 * The row of a revocation, which takes the position of the `eventIndex`-th event (from 0) of its
 * stream's command.
 */
export function revocationRow(
  streamId: string,
  eventIndex: number,
  revocation: Revocation,
): RevocationRow {
  return {
    streamId,
    eventIndex,
    target_kind: revocation.targetKind,
    target: revocation.target,
    epoch: revocation.epoch,
    until: toTimestamp(revocation.until),
  };
}

export interface PositionedRevocation extends Revocation {
  readonly pos: number;
}

/**
 * The next `limit` visible entries after a position, whatever the fence says: revocations need no
 * order. An event makes at most one.
 */
export async function findRevocations(
  client: Queryable,
  after: number,
  limit: number,
): Promise<PositionedRevocation[]> {
  const { rows } = await client.query({
    name: 'find-revocations',
    text: `select pos, target_kind, target, epoch, until from latchkey.revocations
      where pos > $1 order by pos limit $2`,
    values: [after, limit],
  });
  return rows.map((row) => ({
    pos: safeInteger(row.pos),
    targetKind: row.target_kind as RevocationTarget,
    target: row.target as string,
    epoch: row.epoch as number | null,
    until: fromTimestamp(row.until),
  }));
}
