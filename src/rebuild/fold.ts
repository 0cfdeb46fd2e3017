import type { DomainEvent, StreamKind } from '../domain/kernel/event.ts';
import type { Row } from '../eventlog/command.ts';
import { foldLogged, type LoggedEvent } from '../tables/fold-logged.ts';
import { type Revocation, revocationRow } from '../tables/revocation.ts';
import type { Stream } from '../tables/stream.ts';
import { streams } from '../tables/streams.ts';

/** One stream under way: events in version order in, its row and its revocations out. */
export interface StreamFold {
  readonly streamId: string;
  /** The row of the revocation that the event causes. Throws UnreadableEventError. */
  apply(event: LoggedEvent): Row | null;
  row(): Row;
}

export interface KindFold {
  readonly kind: StreamKind;
  readonly table: string;
  begin(streamId: string): StreamFold;
}

/** The rebuild's way through the streams of one kind. */
export function kindFold<S, E extends DomainEvent, C>(stream: Stream<S, E, C>): KindFold {
  const { kind, table, decider, revocation } = stream;
  const begin = (streamId: string): StreamFold => {
    let state = decider.initialState;
    let version = 0;
    return {
      streamId,
      apply(logged) {
        const folded = foldLogged(stream, state, logged);
        state = folded.state;
        version = logged.version;
        const revoked = revocation(streamId, state, folded.event);
        return revoked === null ? null : rowOfRevocation(logged.pos, revoked);
      },
      row: () => table.row({ id: streamId, version, state }),
    };
  };
  return { kind, table: table.name, begin };
}

function rowOfRevocation(pos: number, revocation: Revocation): Row {
  const { streamId, eventIndex, ...columns } = revocationRow('', 0, revocation);
  return { pos, ...columns };
}

/** The same evolve and row functions as on the commands' way, one for each kind of stream. */
export const kindFolds: readonly KindFold[] = Object.values(streams).map((stream) =>
  // Its state and events are of one kind, whichever that is.
  kindFold(stream as unknown as Stream<unknown, DomainEvent, unknown>),
);
