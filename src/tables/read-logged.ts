import { type DomainEvent, type StreamKind, streamKinds } from '../domain/kernel/event.ts';
import { foldLogged, type LoggedEvent, UnreadableEventError } from './fold-logged.ts';
import type { Stream } from './stream.ts';
import { streams } from './streams.ts';

/** An event with the kind of its stream, so that the one tells the type of the other. */
export type KindedEvent = {
  [K in StreamKind]: {
    readonly kind: K;
    readonly event: Parameters<(typeof streams)[K]['decider']['evolve']>[1];
  };
}[StreamKind];

/**
 * An event of the log, of any kind, for a reader that folds nothing. Throws UnreadableEventError for
 * a kind, a type or a schema version that this release does not know.
 */
export function readLogged(logged: LoggedEvent & { readonly kind: number }): KindedEvent {
  const kinds = Object.keys(streamKinds) as StreamKind[];
  const kind = kinds.find((candidate) => streamKinds[candidate] === logged.kind);
  if (kind === undefined) {
    throw new UnreadableEventError(`event ${logged.pos}: unknown kind of stream ${logged.kind}`);
  }
  const stream = streams[kind] as unknown as Stream<unknown, DomainEvent, unknown>;
  const { event } = foldLogged(stream, stream.decider.initialState, logged);
  return { kind, event } as KindedEvent;
}
