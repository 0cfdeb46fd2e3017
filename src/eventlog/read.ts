import type { EventValue } from '../domain/kernel/event.ts';
import { safeInteger } from '../platform/postgres/safe-integer.ts';
import type { Queryable } from './queryable.ts';

/**
 * An event as it stands in the log. `recordedAt` is for auditors; no decision and no fold looks at
 * it.
 */
export interface RecordedEvent {
  readonly pos: number;
  readonly kind: number;
  readonly streamId: string;
  readonly version: number;
  readonly type: string;
  readonly schemaV: number;
  readonly data: { readonly [key: string]: EventValue };
  readonly pii: Uint8Array | null;
  readonly subjectId: string | null;
  readonly meta: { readonly [key: string]: EventValue };
  readonly recordedAt: Date;
}

const columns =
  'pos, kind, stream_id, version, type, schema_v, data, pii, subject_id, meta, recorded_at';

/**
 * The function bounds pos on both sides: with a lower bound alone every later partition would be
 * searched.
 */
const streamSql = `select ${columns} from latchkey.read_stream($1)`;

export const tailSql = `select ${columns} from latchkey.events
  where pos > $1 and pos <= $2 order by pos limit $3`;

/** All events of a stream, in order; empty when it does not exist. */
export async function readStream(client: Queryable, streamId: string): Promise<RecordedEvent[]> {
  const { rows } = await client.query({
    name: 'read-stream',
    text: streamSql,
    values: [streamId],
  });
  return rows.map(toRecordedEvent);
}

/** Up to `limit` events with after < pos <= upTo, in pos order. */
export async function readRange(
  client: Queryable,
  range: { after: number; upTo: number; limit: number },
): Promise<RecordedEvent[]> {
  const { rows } = await client.query({
    name: 'read-range',
    text: tailSql,
    values: [range.after, range.upTo, range.limit],
  });
  return rows.map(toRecordedEvent);
}

function toRecordedEvent(row: Record<string, unknown>): RecordedEvent {
  return {
    pos: safeInteger(row.pos),
    kind: row.kind as number,
    streamId: row.stream_id as string,
    version: row.version as number,
    type: row.type as string,
    schemaV: row.schema_v as number,
    data: row.data as RecordedEvent['data'],
    pii: row.pii as Uint8Array | null,
    subjectId: row.subject_id as string | null,
    meta: row.meta as RecordedEvent['meta'],
    recordedAt: row.recorded_at as Date,
  };
}
