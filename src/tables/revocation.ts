import type { ClientEvent } from '../domain/client/events.ts';
import type { InviteEvent } from '../domain/invite/events.ts';
import { limits } from '../domain/kernel/limits.ts';
import type { KeysetEvent } from '../domain/keyset/events.ts';
import type { SessionEvent } from '../domain/session/events.ts';
import type { SessionState } from '../domain/session/state.ts';
import type { UserEvent } from '../domain/user/events.ts';
import type { RevocationRow } from '../eventlog/command.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { emptySnapshot, type Snapshot } from '../eventlog/snapshot.ts';
import { safeInteger } from '../platform/postgres/safe-integer.ts';
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

/**
 * What an event of a session revokes; `state` is the session after it. Every type of event stands in
 * the `switch` here and in those below: a new one does not compile until it says what it revokes.
 */
export function revocationOfSession(
  sessionId: string,
  state: SessionState,
  event: SessionEvent,
): Revocation | null {
  switch (event.type) {
    case 'SessionStarted':
    case 'DeviceKeyBound':
    case 'DeviceKeyConfirmed':
    case 'SessionRefreshed':
    case 'SessionSteppedUp':
    case 'RefreshTokenReuseDetected':
      return null;
    case 'SessionRevoked':
      return endOfSession(sessionId, state, event.data.at);
    case 'SessionExpired': {
      // At its absolute end a session has no token left, unless that end was brought forward.
      const hasTokens = event.data.cause === 'idle' || event.data.at < state.accessExpiresAt;
      return hasTokens ? endOfSession(sessionId, state, event.data.at) : null;
    }
  }
}

function endOfSession(sessionId: string, state: SessionState, at: number): Revocation {
  // A retry of the last refresh may have been answered with a fresh token until this very moment.
  const accessLifeMs = state.accessExpiresAt - state.refreshedAt;
  const until = Math.max(state.accessExpiresAt, at + accessLifeMs) + marginMs;
  return { targetKind: 'session', target: sessionId, epoch: null, until };
}

export function revocationOfUser(userId: string, event: UserEvent): Revocation | null {
  switch (event.type) {
    case 'RoleGranted':
      return newEpoch('roles', userId, event.data);
    case 'RoleRevoked':
    case 'UserDisabled':
    case 'UserEpochRaised':
    case 'SubjectErased':
      return newEpoch('user', userId, event.data);
    case 'UserRegistered':
    case 'ProfileChanged':
    case 'PasswordChanged':
    case 'PasswordCheckFailed':
    case 'UserLocked':
    case 'DeviceLocked':
    case 'FailedChecksCleared':
    case 'UserUnlocked':
    case 'UserEnabled':
    case 'OtpRequested':
    case 'OtpCheckFailed':
    case 'OtpConsumed':
    case 'EmailVerificationRequested':
    case 'EmailVerified':
    case 'RegistrationRepeated':
    case 'PasswordResetRequested':
    case 'PasswordResetCompleted':
    case 'EmailChangeRequested':
    case 'EmailChanged':
    case 'TotpEnrolled':
    case 'TotpConfirmed':
    case 'TotpRemoved':
    case 'FactorCheckFailed':
    case 'FactorAccepted':
    case 'RecoveryCodesIssued':
    case 'RecoveryCodeUsed':
      return null;
  }
}

function newEpoch(
  targetKind: 'user' | 'roles',
  target: string,
  { at, epoch }: { readonly at: number; readonly epoch: number },
): Revocation {
  return { targetKind, target, epoch, until: longestLifeFrom(at) };
}

export function revocationOfClient(clientId: string, event: ClientEvent): Revocation {
  const until = longestLifeFrom(event.data.at);
  switch (event.type) {
    case 'ClientRegistered':
    case 'ClientSecretRotated':
    case 'ClientSecretEnded':
      return { targetKind: 'client', target: clientId, epoch: null, until };
    case 'ClientEpochRaised':
    case 'ClientDisabled':
      return { targetKind: 'client', target: clientId, epoch: event.data.epoch, until };
  }
}

export function revocationOfKeyset(keysetId: string, event: KeysetEvent): Revocation {
  const until = longestLifeFrom(event.data.at);
  switch (event.type) {
    case 'KeyGenerated':
    case 'KeyActivated':
    case 'KeyRetired':
    case 'KeyRemoved':
      return { targetKind: 'keyset', target: keysetId, epoch: null, until };
    case 'KeyRevoked':
      return { targetKind: 'kid', target: event.data.kid, epoch: null, until };
  }
}

export function revocationOfInvite({ type }: InviteEvent): null {
  switch (type) {
    case 'InviteCreated':
    case 'InviteTried':
    case 'InviteUsed':
      return null;
  }
}

/** When no token that was made by `at` (epoch ms) is good any more. */
function longestLifeFrom(at: number): number {
  return at + longestAccessLifeMs + marginMs;
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
  readonly xact: string;
}

/** A place among the revocations in the order of their transactions. */
export interface RevocationPlace {
  readonly xact: string;
  readonly pos: number;
}

export interface RevocationPage {
  readonly revocations: readonly PositionedRevocation[];
  /** Where the next page begins; null when this is the last one. */
  readonly next: RevocationPlace | null;
}

/** How far a reader has come. */
export interface RevocationsRead {
  /** All that was committed by then was read. */
  readonly snapshot: Snapshot;
  /** The greatest id before the end of the snapshot under which an entry was read. */
  readonly greatestXact: string;
}

export const nothingRead: RevocationsRead = { snapshot: emptySnapshot, greatestXact: '0' };

/** `greatest`, or a greater one of `page`, which was read in the pass up to `snapshot`. */
export function greatestXactRead(
  greatest: string,
  snapshot: Snapshot,
  page: readonly PositionedRevocation[],
): string {
  const end = BigInt(snapshot.nextXact);
  const xacts = page.map(({ xact }) => BigInt(xact)).filter((xact) => xact < end);
  return String(xacts.reduce((most, xact) => (xact > most ? xact : most), BigInt(greatest)));
}

/**
 * Where the next pass begins. Not at the end of the snapshot: a server that crashes gives ids out
 * again that it had given since its last write to disk, and a snapshot may have seen them as ended.
 * An id under which something was committed, and each one below it, is never given out again, and
 * between it and the end of the snapshot there is nothing that was read. Ids beyond that end are of
 * another server (a restored dump): its own begin at the end.
 */
export function nextPass({ snapshot, greatestXact }: RevocationsRead): {
  readonly after: RevocationPlace;
  readonly open: readonly string[];
} {
  const [end, greatest] = [BigInt(snapshot.nextXact), BigInt(greatestXact)];
  const first = greatest < end ? greatest + 1n : end;
  return {
    after: { xact: String(first), pos: -1 },
    open: snapshot.open.filter((xact) => BigInt(xact) < first),
  };
}

/**
 * The visible entries beyond `after`, and those of the transactions `open`, which were under way
 * when the reader looked last. Revocations need no order, and no commit can be missed: each one
 * since a snapshot was of a transaction that was open then or had not begun.
 */
export async function findRevocations(
  client: Queryable,
  { after, open, limit }: { after: RevocationPlace; open: readonly string[]; limit: number },
): Promise<RevocationPage> {
  const { rows } = await client.query({
    name: 'find-revocations',
    text: `(select pos, target_kind, target, epoch, until, xact, false as paged
        from latchkey.revocations where xact = any ($1::xid8[]) limit $4)
      union all
      (select pos, target_kind, target, epoch, until, xact, true
        from latchkey.revocations where (xact, pos) > ($2::xid8, $3) order by xact, pos limit $4)`,
    values: [open, after.xact, after.pos, limit],
  });
  const paged = rows.filter((row) => row.paged === true);
  return {
    revocations: rows.map((row) => ({
      pos: safeInteger(row.pos),
      xact: row.xact as string,
      targetKind: row.target_kind as RevocationTarget,
      target: row.target as string,
      epoch: row.epoch as number | null,
      until: fromTimestamp(row.until),
    })),
    next: nextPlace(paged, rows.length - paged.length, { open, limit }),
  };
}

/** Where open transactions alone fill a page, the next pages begin at the first of them. */
function nextPlace(
  paged: readonly Record<string, unknown>[],
  ofOpen: number,
  { open, limit }: { open: readonly string[]; limit: number },
): RevocationPlace | null {
  if (ofOpen === limit) {
    const first = open.map(BigInt).reduce((least, xact) => (xact < least ? xact : least));
    return { xact: String(first), pos: -1 };
  }
  const last = paged.at(-1);
  if (last === undefined || paged.length < limit) return null;
  return { xact: last.xact as string, pos: safeInteger(last.pos) };
}
