import { clientDecider } from '../domain/client/decide.ts';
import { inviteDecider } from '../domain/invite/decide.ts';
import type { DomainEvent, StreamKind } from '../domain/kernel/event.ts';
import { keysetDecider } from '../domain/keyset/decide.ts';
import { sessionDecider } from '../domain/session/decide.ts';
import { isOfClientItself } from '../domain/session/state.ts';
import { userDecider } from '../domain/user/decide.ts';
import { clients } from './client.ts';
import { invites } from './invite.ts';
import { keysets } from './keyset.ts';
import {
  revocationOfClient,
  revocationOfInvite,
  revocationOfKeyset,
  revocationOfSession,
  revocationOfUser,
} from './revocation.ts';
import { sessions } from './session.ts';
import { endedKeyRows } from './session-key.ts';
import type { Stream } from './stream.ts';
import { droppedFactorRows } from './totp-secret.ts';
import { users } from './user.ts';

/** Infers the types from the decider. */
const stream = <S, E extends DomainEvent, C>(of: Stream<S, E, C>): Stream<S, E, C> => of;

/** The one list of nouns: a kind of `streamKinds` that is missing here does not compile. */
export const streams = {
  user: stream({
    kind: 'user',
    table: users,
    decider: userDecider,
    subjectId: (userId) => userId,
    revocation: (userId, _, event) => revocationOfUser(userId, event),
    rowsBeside: droppedFactorRows,
    upcasters: {},
  }),
  session: stream({
    kind: 'session',
    table: sessions,
    decider: sessionDecider,
    subjectId: (_, state) => (isOfClientItself(state) ? null : state.userId),
    revocation: revocationOfSession,
    rowsBeside: endedKeyRows,
    upcasters: {},
  }),
  client: stream({
    kind: 'client',
    table: clients,
    decider: clientDecider,
    subjectId: () => null,
    revocation: (clientId, _, event) => revocationOfClient(clientId, event),
    upcasters: {},
  }),
  keyset: stream({
    kind: 'keyset',
    table: keysets,
    decider: keysetDecider,
    subjectId: () => null,
    revocation: (keysetId, _, event) => revocationOfKeyset(keysetId, event),
    upcasters: {},
  }),
  invite: stream({
    kind: 'invite',
    table: invites,
    decider: inviteDecider,
    subjectId: () => null,
    revocation: (_, __, event) => revocationOfInvite(event),
    upcasters: {},
  }),
} satisfies Readonly<Record<StreamKind, unknown>>;

/** An event of any noun. */
export type AnyEvent = Parameters<(typeof streams)[StreamKind]['decider']['evolve']>[1];
