import type { ClientEvent } from '../domain/client/events.ts';
import { evolveClient, initialClient } from '../domain/client/state.ts';
import type { InviteEvent } from '../domain/invite/events.ts';
import { evolveInvite, initialInvite } from '../domain/invite/state.ts';
import type { DomainEvent, EventValue, StreamKind } from '../domain/kernel/event.ts';
import type { KeysetEvent } from '../domain/keyset/events.ts';
import { evolveKeyset, initialKeyset } from '../domain/keyset/state.ts';
import type { SessionEvent } from '../domain/session/events.ts';
import { evolveSession, initialSession } from '../domain/session/state.ts';
import type { UserEvent } from '../domain/user/events.ts';
import { evolveUser, initialUser } from '../domain/user/state.ts';
import type { Row } from '../eventlog/command.ts';
import { clientRow } from './client.ts';
import type { ProjectedTable } from './compare.ts';
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

/** What a fold needs of an event in the log. */
export interface LoggedEvent {
  readonly pos: number;
  readonly version: number;
  readonly type: string;
  readonly schemaV: number;
  readonly data: { readonly [key: string]: EventValue };
  readonly pii: Uint8Array | null;
}

/** The log holds an event that this release cannot read: folding on would make rows up. */
export class UnreadableEventError extends Error {
  override readonly name = 'UnreadableEventError';
}

interface Projection<S, E extends DomainEvent> {
  /** The newest schema version of every event type that can be read; older ones have upcasters. */
  readonly schemaVersions: Readonly<Record<E['type'], number>>;
  readonly initial: S;
  readonly evolve: (state: S, event: E) => S;
  readonly revoke: (streamId: string, state: S, event: E) => Revocation | null;
  readonly row: (streamId: string, version: number, state: S) => Row;
}

/** One stream under way: events in version order in, its row and its revocations out. */
export interface StreamFold {
  readonly streamId: string;
  /** The row of the revocation that the event causes. Throws UnreadableEventError. */
  apply(event: LoggedEvent): Row | null;
  row(): Row;
}

export interface KindFold {
  readonly kind: StreamKind;
  readonly table: ProjectedTable;
  begin(streamId: string): StreamFold;
}

function kindFold<S, E extends DomainEvent>(
  kind: StreamKind,
  table: KindFold['table'],
  projection: Projection<S, E>,
): KindFold {
  const known = new Map<string, number>(Object.entries(projection.schemaVersions));
  const begin = (streamId: string): StreamFold => {
    let state = projection.initial;
    let version = 0;
    return {
      streamId,
      apply(logged) {
        requireReadable(kind, known, logged);
        const { type, data, pii } = logged;
        const event = (pii === null ? { type, data } : { type, data, pii }) as unknown as E;
        state = projection.evolve(state, event);
        version = logged.version;
        const revocation = projection.revoke(streamId, state, event);
        return revocation === null ? null : rowOfRevocation(logged.pos, revocation);
      },
      row: () => projection.row(streamId, version, state),
    };
  };
  return { kind, table, begin };
}

function requireReadable(
  kind: StreamKind,
  known: ReadonlyMap<string, number>,
  { pos, type, schemaV }: LoggedEvent,
): void {
  const newest = known.get(type);
  if (newest !== undefined && schemaV >= 1 && schemaV <= newest) return;
  const why = newest === undefined ? 'unknown type' : `schema version ${schemaV}, known: ${newest}`;
  throw new UnreadableEventError(`event ${pos} of a ${kind} stream, ${type}: ${why}`);
}

function rowOfRevocation(pos: number, revocation: Revocation): Row {
  const { streamId, eventIndex, ...columns } = revocationRow('', 0, revocation);
  return { pos, ...columns };
}

/** The same evolve and row functions as the commands' path, one entry per stream kind. */
export const kindFolds: Readonly<Record<StreamKind, KindFold>> = {
  user: kindFold('user', 'users', {
    schemaVersions: {
      UserRegistered: 1,
      ProfileChanged: 1,
      PasswordChanged: 1,
      PasswordCheckFailed: 1,
      UserLocked: 1,
      DeviceLocked: 1,
      FailedChecksCleared: 1,
      UserUnlocked: 1,
      RoleGranted: 1,
      RoleRevoked: 1,
      UserDisabled: 1,
      UserEnabled: 1,
      UserEpochRaised: 1,
    },
    initial: initialUser,
    evolve: evolveUser,
    revoke: (userId, _state, event: UserEvent) => revocationOfUser(userId, event),
    row: userRow,
  }),
  session: kindFold('session', 'sessions', {
    schemaVersions: {
      SessionStarted: 1,
      SessionRefreshed: 1,
      RefreshTokenReuseDetected: 1,
      SessionRevoked: 1,
      SessionExpired: 1,
    },
    initial: initialSession,
    evolve: evolveSession,
    revoke: (sessionId, state, event: SessionEvent) => revocationOfSession(sessionId, state, event),
    row: sessionRow,
  }),
  client: kindFold('client', 'clients', {
    schemaVersions: { ClientRegistered: 1, ClientSecretRotated: 1, ClientDisabled: 1 },
    initial: initialClient,
    evolve: evolveClient,
    revoke: (clientId, _state, event: ClientEvent) => revocationOfClient(clientId, event),
    row: clientRow,
  }),
  keyset: kindFold('keyset', 'keysets', {
    schemaVersions: {
      KeyGenerated: 1,
      KeyActivated: 1,
      KeyRetired: 1,
      KeyRemoved: 1,
      KeyRevoked: 1,
    },
    initial: initialKeyset,
    evolve: evolveKeyset,
    revoke: (keysetId, _state, event: KeysetEvent) => revocationOfKeyset(keysetId, event),
    row: keysetRow,
  }),
  invite: kindFold('invite', 'invites', {
    schemaVersions: { InviteCreated: 1, InviteTried: 1, InviteUsed: 1 },
    initial: initialInvite,
    evolve: (state, event: InviteEvent) => evolveInvite(state, event),
    revoke: () => null,
    row: inviteRow,
  }),
};
