import { streamKinds } from '../domain/kernel/event.ts';
import { bytea } from '../platform/postgres/bytea.ts';
import type { AppendedEvent, Command, Expectation, Row, StreamTouch } from './command.ts';
import type { Queryable } from './queryable.ts';
import type { RecordSeal } from './record-seal.ts';

/** One row per touched stream, in the order of the batch's touches. */
export interface TouchOutcome {
  readonly outcome: 'appended' | 'conflict' | 'busy' | 'refused';
  readonly version: number;
  readonly guard: number;
  readonly lastPos: number | null;
}

const appendSql = {
  name: 'append',
  text: `select outcomes, versions, guards, last_positions
    from latchkey.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
};

const appendOneSql = {
  name: 'append-one',
  text: `select version, guard_v, pos
    from latchkey.append_one($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
};

/**
 * Sends a batch of commands through `latchkey.append` in one autocommit round trip, or in two for a
 * command alone that `latchkey.append_one` does not accept, unless `isAbandoned` by then. Answers the
 * outcomes per command, per touched stream. No two commands may share a stream. Any database error
 * means: nothing of the batch was appended, unless the connection was lost, when it may have been.
 */
export async function appendBatch(
  client: Queryable,
  commands: readonly Command[],
  options: { patient: boolean; seal: RecordSeal; isAbandoned?: () => boolean },
): Promise<TouchOutcome[][]> {
  const { parameters, order } = encodeBatch(commands, options.seal);
  if (!options.patient && isLone(commands)) {
    const outcome = await appendOne(client, parameters);
    if (outcome !== null) return [[outcome]];
    // What its caller was told is unavailable must not be appended a moment later.
    if (options.isAbandoned?.())
      return [[{ outcome: 'busy', version: 0, guard: 0, lastPos: null }]];
  }
  const { rows } = await client.query({
    ...appendSql,
    values: [...parameters, options.patient],
  });
  const row = rows[0] as {
    outcomes: TouchOutcome['outcome'][];
    versions: number[];
    guards: (number | string)[];
    last_positions: (number | string | null)[] | null;
  };
  const outcomes: TouchOutcome[][] = commands.map(() => []);
  order.forEach(({ command, touch }, index) => {
    const lastPos = row.last_positions?.[index] ?? null;
    outcomes[command]![touch] = {
      outcome: row.outcomes[index]!,
      version: row.versions[index]!,
      guard: Number(row.guards[index]),
      lastPos: lastPos === null ? null : Number(lastPos),
    };
  });
  return outcomes;
}

function isLone([command, ...others]: readonly Command[]): boolean {
  return (
    others.length === 0 && command?.streams.length === 1 && command.streams[0]!.events.length === 1
  );
}

/** Null, with nothing appended, unless the command is accepted: `latchkey.append` says why not. */
async function appendOne(
  client: Queryable,
  parameters: BatchParameters,
): Promise<TouchOutcome | null> {
  const { rows } = await client.query({ ...appendOneSql, values: parametersOfOne(parameters) });
  const { version, guard_v, pos } = rows[0] as { version: number; guard_v: unknown; pos: unknown };
  if (pos === null) return null;
  return { outcome: 'appended', version, guard: Number(guard_v), lastPos: Number(pos) };
}

/** The parameters of `latchkey.append_one`, from those of `latchkey.append` for the same command. */
export function parametersOfOne(parameters: BatchParameters) {
  const [, ids, kinds, subjects, expected, guards, bumps, , ...ofEvent] = parameters;
  const [types, schemaVersions, data, pii, meta, rows] = ofEvent;
  const ofStream = [ids[0], kinds[0], subjects[0], expected[0], guards[0], bumps[0]];
  return [...ofStream, types[0], schemaVersions[0], data[0], pii[0], meta[0], rows];
}

type BatchParameters = ReturnType<typeof encodeBatch>['parameters'];

/**
 * The parameters of `latchkey.append` for a batch, and which touch each of their elements belongs
 * to. Here, and nowhere else, rows and events get their seal.
 */
export function encodeBatch(commands: readonly Command[], seal: RecordSeal) {
  const order = commands
    .flatMap((command, c) =>
      command.streams.map((stream, touch) => ({ command: c, touch, stream })),
    )
    .sort((a, b) => (a.stream.streamId < b.stream.streamId ? -1 : 1));
  const eventTouched: number[] = [];
  const types: string[] = [];
  const schemaVersions: number[] = [];
  const data: string[] = [];
  const pii: (string | null)[] = [];
  const meta: string[] = [];
  const firstEvent = new Map<string, number>();
  order.forEach(({ command, stream }, index) => {
    firstEvent.set(stream.streamId, eventTouched.length + 1);
    const { commandId, meta: commandMeta } = commands[command]!;
    stream.events.forEach((event, n) => {
      eventTouched.push(index + 1);
      types.push(event.type);
      schemaVersions.push(schemaVersionOf(event));
      data.push(JSON.stringify(event.data));
      pii.push(event.pii === undefined ? null : bytea(event.pii));
      meta.push(
        JSON.stringify(
          sealedMeta(seal, stream, { event, n, meta: { ...commandMeta, command_id: commandId } }),
        ),
      );
    });
  });
  const parameters = [
    order.map(({ command }) => command),
    order.map(({ stream }) => stream.streamId),
    order.map(({ stream }) => streamKinds[stream.kind]),
    order.map(({ stream }) => stream.subjectId),
    order.map(({ stream }) => expectedCode(stream.expected)),
    order.map(({ stream }) => stream.guard ?? null),
    order.map(({ stream }) => stream.bumpGuard ?? false),
    eventTouched,
    types,
    schemaVersions,
    data,
    pii,
    meta,
    JSON.stringify(mergeRows(commands, firstEvent, seal)),
  ] as const;
  return { parameters, order };
}

function schemaVersionOf({ schemaV }: AppendedEvent): number {
  return schemaV ?? 1;
}

/** An event whose version only the database will know, as none of ours is, stays unsealed. */
function sealedMeta(
  seal: RecordSeal,
  stream: StreamTouch,
  { event, n, meta }: { event: AppendedEvent; n: number; meta: Readonly<Record<string, unknown>> },
) {
  const { kind, streamId, subjectId, expected } = stream;
  if (expected === 'exists' || expected === 'any') return meta;
  const mac = seal.event({
    kind: streamKinds[kind],
    streamId,
    subjectId,
    version: (expected === 'none' ? 0 : expected) + n + 1,
    type: event.type,
    schemaV: schemaVersionOf(event),
    data: event.data,
    pii: event.pii ?? null,
    meta,
  });
  return { ...meta, mac };
}

/**
 * Tables whose rows need no seal: revocations only take away, device tokens and used proofs prove no user, and
 * the others are bound by the KEK.
 */
const unsealedTables: ReadonlySet<string> = new Set([
  'revocations',
  'device_tokens',
  'dpop_proofs',
  'subject_keys',
  'key_secrets',
  'session_key_secrets',
  'totp_secrets',
]);

function mergeRows(
  commands: readonly Command[],
  firstEvent: ReadonlyMap<string, number>,
  seal: RecordSeal,
) {
  const merged: Record<string, Row[]> = {};
  commands.forEach((command, c) => {
    for (const [table, rows] of Object.entries(command.rows) as [string, Row[]][]) {
      for (const row of rows) {
        let numbered: Row = unsealedTables.has(table)
          ? { ...row, c }
          : { ...row, c, mac: seal.row(table, row) };
        if (table === 'revocations') {
          const { streamId, eventIndex, ...columns } = numbered;
          numbered = {
            ...columns,
            e: firstEvent.get(streamId as string)! + (eventIndex as number),
          };
        }
        let list = merged[table];
        if (list === undefined) {
          list = [];
          merged[table] = list;
        }
        list.push(numbered);
      }
    }
  });
  return merged;
}

function expectedCode(expected: Expectation): number {
  switch (expected) {
    case 'none':
      return 0;
    case 'exists':
      return -1;
    case 'any':
      return -2;
    default:
      if (!Number.isSafeInteger(expected) || expected < 1) throw new Error('bad expected version');
      return expected;
  }
}
