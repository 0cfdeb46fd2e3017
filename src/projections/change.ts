import { type ClientCommand, decideClient } from '../domain/client/decide.ts';
import { type ClientState, evolveClient } from '../domain/client/state.ts';
import { decideInvite, type InviteCommand } from '../domain/invite/decide.ts';
import { evolveInvite, type InviteState, initialInvite } from '../domain/invite/state.ts';
import type { Decision } from '../domain/kernel/decider.ts';
import type { ErrorCode } from '../domain/kernel/errors.ts';
import type { DomainEvent, StreamKind } from '../domain/kernel/event.ts';
import { decideKeyset, type KeysetCommand } from '../domain/keyset/decide.ts';
import { evolveKeyset, type KeysetState } from '../domain/keyset/state.ts';
import { decideSession, type SessionCommand } from '../domain/session/decide.ts';
import { evolveSession, initialSession, type SessionState } from '../domain/session/state.ts';
import { decideUser, type UserCommand } from '../domain/user/decide.ts';
import { evolveUser, initialUser, type UserState } from '../domain/user/state.ts';
import type { CommandRows, RevocationRow, StreamTouch } from '../eventlog/command.ts';
import { clientRow } from './client.ts';
import { inviteRow } from './invite.ts';
import { keysetRow } from './keyset.ts';
import {
  type Revocation,
  revocationOfClient,
  revocationOfKeyset,
  revocationOfSession,
  revocationOfUser,
  revocationRow,
} from './revocation.ts';
import { sessionRow } from './session.ts';
import { userRow } from './user.ts';

/**
 * A decided change of one stream: what to append, what its row becomes, and the state it leaves
 * behind.
 */
export interface Change<S> {
  readonly state: S;
  readonly version: number;
  readonly refusal: ErrorCode | undefined;
  readonly events: readonly DomainEvent[];
  readonly touch: StreamTouch;
  readonly rows: CommandRows;
}

interface Current<S> {
  readonly version: number;
  readonly state: S;
}

interface ChangeOptions<S, E extends DomainEvent> {
  readonly kind: StreamKind;
  readonly streamId: string;
  readonly subjectId: string | null;
  readonly current: Current<S>;
  readonly decision: Decision<E>;
  readonly evolve: (state: S, event: E) => S;
  readonly revoke: (state: S, event: E) => Revocation | null;
  readonly row: (version: number, state: S) => CommandRows;
}

function change<S, E extends DomainEvent>(options: ChangeOptions<S, E>): Change<S> {
  const { streamId, decision, current } = options;
  let { state } = current;
  const revocations: RevocationRow[] = [];
  decision.events.forEach((event, index) => {
    state = options.evolve(state, event);
    const revocation = options.revoke(state, event);
    if (revocation !== null) revocations.push(revocationRow(streamId, index, revocation));
  });
  const version = current.version + decision.events.length;
  return {
    state,
    version,
    refusal: decision.refusal,
    events: decision.events,
    touch: {
      streamId,
      kind: options.kind,
      subjectId: options.subjectId,
      expected: current.version === 0 ? 'none' : current.version,
      events: decision.events,
    },
    rows: decision.events.length === 0 ? {} : { ...options.row(version, state), revocations },
  };
}

export function changeSession(
  sessionId: string,
  current: Current<SessionState> | null,
  command: SessionCommand,
): Change<SessionState> {
  const from = current ?? { version: 0, state: initialSession };
  const decision = decideSession(from.state, command);
  return change({
    kind: 'session',
    streamId: sessionId,
    subjectId: command.type === 'StartSession' ? command.userId : from.state.userId,
    current: from,
    decision,
    evolve: evolveSession,
    revoke: (state, event) => revocationOfSession(sessionId, state, event),
    row: (version, state) => ({ sessions: [sessionRow(sessionId, version, state)] }),
  });
}

export function changeUser(
  userId: string,
  current: Current<UserState> | null,
  command: UserCommand,
): Change<UserState> {
  const from = current ?? { version: 0, state: initialUser };
  return change({
    kind: 'user',
    streamId: userId,
    subjectId: userId,
    current: from,
    decision: decideUser(from.state, command),
    evolve: evolveUser,
    revoke: (_state, event) => revocationOfUser(userId, event),
    row: (version, state) => ({ users: [userRow(userId, version, state)] }),
  });
}

export function changeClient(
  clientId: string,
  current: Current<ClientState>,
  command: ClientCommand,
): Change<ClientState> {
  return change({
    kind: 'client',
    streamId: clientId,
    subjectId: null,
    current,
    decision: decideClient(current.state, command),
    evolve: evolveClient,
    revoke: (_state, event) => revocationOfClient(clientId, event),
    row: (version, state) => ({ clients: [clientRow(clientId, version, state)] }),
  });
}

export function changeKeyset(
  keysetId: string,
  current: Current<KeysetState>,
  command: KeysetCommand,
): Change<KeysetState> {
  return change({
    kind: 'keyset',
    streamId: keysetId,
    subjectId: null,
    current,
    decision: decideKeyset(current.state, command),
    evolve: evolveKeyset,
    revoke: (_state, event) => revocationOfKeyset(keysetId, event),
    row: (version, state) => ({ keysets: [keysetRow(keysetId, version, state)] }),
  });
}

export function changeInvite(
  inviteId: string,
  current: Current<InviteState> | null,
  command: InviteCommand,
): Change<InviteState> {
  const from = current ?? { version: 0, state: initialInvite };
  return change({
    kind: 'invite',
    streamId: inviteId,
    subjectId: null,
    current: from,
    decision: decideInvite(from.state, command),
    evolve: evolveInvite,
    revoke: () => null,
    row: (version, state) => ({ invites: [inviteRow(inviteId, version, state)] }),
  });
}

/** Puts the rows of several changes into one command. */
export function mergeRows(...parts: readonly CommandRows[]): CommandRows {
  const merged: Record<string, unknown[]> = {};
  for (const part of parts) {
    for (const [table, rows] of Object.entries(part) as [string, unknown[]][]) {
      merged[table] = [...(merged[table] ?? []), ...rows];
    }
  }
  return merged as CommandRows;
}
