import { streamKinds } from '../domain/kernel/event.ts';
import type { LoggedEvent } from '../tables/fold-logged.ts';
import type { CopyRowReader } from './copy-out.ts';

/** Every event of a kind, in the order of streams and their versions, with the owner's wrapped key. */
export function copySql(kind: number): string {
  const wrapped = kind === streamKinds.user ? 'k.wrapped' : 'null::text';
  const join =
    kind === streamKinds.user
      ? 'left join latchkey.subject_keys k on k.subject_id = e.stream_id'
      : '';
  return `copy (
      select e.stream_id, e.pos, e.version, e.type, e.schema_v, e.data, e.pii,
        e.subject_id, e.meta, ${wrapped}
      from latchkey.events e ${join} where e.kind = ${kind} order by e.stream_id, e.version
    ) to stdout (format binary)`;
}

/** The fields that `copySql` puts after the stream's id, but for the wrapped key. */
export function readEvent(row: CopyRowReader) {
  return {
    pos: row.int8(),
    version: row.int4(),
    type: row.text(),
    schemaV: row.int2(),
    data: row.json<LoggedEvent['data']>(),
    pii: row.bytesOrNull(),
    subjectId: row.uuidOrNull(),
    meta: row.json<Record<string, unknown>>(),
  };
}
