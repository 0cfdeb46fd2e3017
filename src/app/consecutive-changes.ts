import { type Change, mergeRows } from '../tables/change.ts';
import { streams } from '../tables/streams.ts';

/**
 * Two changes of one stream as one: `second` was decided on the state and version that `first` left
 * behind. A command touches a stream once, and its row is written once, as what it becomes in the
 * end; the rows of side tables follow from both.
 */
export function consecutive<S>(first: Change<S>, second: Change<S>): Change<S> {
  const { revocations = [], ...rows } = second.events.length > 0 ? second.rows : first.rows;
  const { [streams[first.touch.kind].table.name]: _, ...beside } = first.rows;
  const offset = second.events.length > 0 ? first.events.length : 0;
  const moved = revocations.map((row) => ({ ...row, eventIndex: row.eventIndex + offset }));
  const earlier = offset === 0 ? {} : beside;
  const events = [...first.events, ...second.events];
  return {
    ...second,
    events,
    touch: { ...first.touch, events },
    rows: mergeRows(earlier, rows, { revocations: moved }),
  };
}
