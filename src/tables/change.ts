import type { ErrorCode } from '@latchkey/contract/error-code';
import type { DomainEvent } from '../domain/kernel/event.ts';
import type { CommandRows, RevocationRow, StreamTouch } from '../eventlog/command.ts';
import { revocationRow } from './revocation.ts';
import type { Stream } from './stream.ts';

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

/** Decides a command on a stream; `current` is null for one that does not exist yet. */
type Decide<S, C> = (
  id: string,
  current: Pick<Change<S>, 'version' | 'state'> | null,
  command: C,
) => Change<S>;

/** How commands change the streams of one kind. */
export function changeOf<S, E extends DomainEvent, C>(stream: Stream<S, E, C>): Decide<S, C> {
  const { kind, table, decider } = stream;
  return (id, current, command) => {
    let { version, state } = current ?? { version: 0, state: decider.initialState };
    const before = state;
    const expected = version === 0 ? 'none' : version;
    const { events, refusal } = decider.decide(state, command);
    const revocations: RevocationRow[] = [];
    events.forEach((event, index) => {
      state = decider.evolve(state, event);
      version += 1;
      const revocation = stream.revocation(id, state, event);
      if (revocation !== null) revocations.push(revocationRow(id, index, revocation));
    });
    const subjectId = stream.subjectId(id, state);
    return {
      state,
      version,
      refusal,
      events,
      touch: { streamId: id, kind, subjectId, expected, events },
      rows:
        events.length === 0
          ? {}
          : {
              [table.name]: [table.row({ id, version, state })],
              revocations,
              ...stream.rowsBeside?.(before, state),
            },
    };
  };
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
