import type { KeysetEvent } from '../../domain/keyset/events.ts';
import type { SessionEvent } from '../../domain/session/events.ts';
import { initialSession, type SessionState } from '../../domain/session/state.ts';
import { databaseTime } from '../../eventlog/database-clock.ts';
import { type RecordedEvent, readStream } from '../../eventlog/read.ts';
import type { SealedReaders } from '../../eventlog/record-seal.ts';
import { foldLogged } from '../../tables/fold-logged.ts';
import { findIssuerKeyset } from '../../tables/keyset.ts';
import { type KindedEvent, readLogged } from '../../tables/read-logged.ts';
import {
  revocationOfClient,
  revocationOfSession,
  revocationOfUser,
} from '../../tables/revocation.ts';
import { findLiveSessions, findSessionsByIds, type SessionRecord } from '../../tables/session.ts';
import { streams } from '../../tables/streams.ts';
import {
  clientEntry,
  keysetEntries,
  type RedisCommand,
  sessionEntries,
  tokenEntries,
  userEntry,
} from './entries.ts';

type Logged = { readonly at: RecordedEvent } & KindedEvent;
type SessionEnd = Extract<SessionEvent, { type: 'SessionRevoked' | 'SessionExpired' }>;

/** Clocks of two nodes may differ so much without either being refused. */
const clockSlackMs = 5_000;

/**
 * What the events of the log, in their order, change in the model now. Entries live by the clock
 * of the database: by one that is ahead, they would go before the tokens that they kill. Rows of
 * sessions and keys may be newer than the events: an entry then only comes early. Throws
 * UnreadableEventError.
 */
export async function commandsOf(
  events: readonly RecordedEvent[],
  readers: SealedReaders,
): Promise<RedisCommand[]> {
  const logged = events.map((at): Logged => ({ at, ...readLogged(at) }));
  const now = await databaseTime(readers);
  return [
    ...(await endedSessions(logged, readers, now)),
    ...(await raisedEpochs(logged, readers, now)),
    ...raisedClientEpochs(logged, now),
    ...(await changedKeyset(logged, readers)),
  ];
}

/** The keyset as it is now. */
export async function currentKeyset(readers: SealedReaders): Promise<RedisCommand[]> {
  return keysetEntries((await findIssuerKeyset(readers)).state, []);
}

async function endedSessions(
  logged: readonly Logged[],
  readers: SealedReaders,
  now: number,
): Promise<RedisCommand[]> {
  const ends = new Map<string, SessionEnd>();
  for (const { at, kind, event } of logged) {
    if (kind !== 'session') continue;
    if (event.type === 'SessionRevoked' || event.type === 'SessionExpired') {
      ends.set(at.streamId, event);
    }
  }
  const records = await findSessionsByIds(readers, [...ends.keys()]);
  const states = new Map(records.map(({ sessionId, state }) => [sessionId, state]));
  const commands: RedisCommand[] = [];
  for (const [sessionId, event] of ends) {
    // A row that was pruned, or is not to be trusted: the log has it too.
    const state = states.get(sessionId) ?? (await foldSession(readers, sessionId, null));
    const revocation = revocationOfSession(sessionId, state, event);
    if (revocation === null) continue;
    commands.push(...sessionEntries(sessionId, state, { until: revocation.until, now }));
  }
  return commands;
}

async function raisedEpochs(
  logged: readonly Logged[],
  readers: SealedReaders,
  now: number,
): Promise<RedisCommand[]> {
  const commands: RedisCommand[] = [];
  for (const { at, kind, event } of logged) {
    if (kind !== 'user') continue;
    const revocation = revocationOfUser(at.streamId, event);
    if (revocation === null || revocation.targetKind !== 'user' || revocation.until <= now) {
      continue;
    }
    commands.push(
      ...userEntry(at.streamId, revocation.epoch!, { until: revocation.until, now }),
      ...(await tokensBefore(at, event.data.at, readers, now)),
    );
  }
  return commands;
}

/** Of sessions that live on: what they made until the event is stale, and nothing later. */
async function tokensBefore(
  { streamId: userId, pos }: RecordedEvent,
  raisedAt: number,
  readers: SealedReaders,
  now: number,
): Promise<RedisCommand[]> {
  const commands: RedisCommand[] = [];
  for (const record of await findLiveSessions(readers, userId)) {
    if (record.state.startedAt > raisedAt + clockSlackMs) continue;
    const state = await stateBefore(record, { pos, raisedAt }, readers);
    const end = { type: 'SessionRevoked', data: { at: raisedAt, reason: 'admin' } } as const;
    const revocation = revocationOfSession(record.sessionId, state, end);
    if (revocation === null) continue;
    commands.push(...tokenEntries(record.sessionId, state, { until: revocation.until, now }));
  }
  return commands;
}

async function stateBefore(
  { sessionId, state }: SessionRecord,
  { pos, raisedAt }: { readonly pos: number; readonly raisedAt: number },
  readers: SealedReaders,
): Promise<SessionState> {
  const isAsThen = state.refreshedAt < raisedAt - clockSlackMs;
  return isAsThen ? state : foldSession(readers, sessionId, pos);
}

/** From the log; `before`: the events below that position only. */
async function foldSession(
  readers: SealedReaders,
  sessionId: string,
  before: number | null,
): Promise<SessionState> {
  const events = await readStream(readers, sessionId);
  return events
    .filter(({ pos }) => before === null || pos < before)
    .reduce((state, event) => foldLogged(streams.session, state, event).state, initialSession);
}

function raisedClientEpochs(logged: readonly Logged[], now: number): RedisCommand[] {
  return logged.flatMap(({ at, kind, event }) => {
    if (kind !== 'client') return [];
    const { epoch, until } = revocationOfClient(at.streamId, event);
    return epoch === null ? [] : clientEntry(at.streamId, epoch, { until, now });
  });
}

async function changedKeyset(
  logged: readonly Logged[],
  readers: SealedReaders,
): Promise<RedisCommand[]> {
  const events = logged.flatMap(({ kind, event }): KeysetEvent[] =>
    kind === 'keyset' ? [event] : [],
  );
  if (events.length === 0) return [];
  const { state } = await findIssuerKeyset(readers);
  return keysetEntries(
    state,
    events.map(({ data }) => data.kid),
  );
}
