import { type DomainEvent, streamKinds } from '../src/domain/kernel/event.ts';
import type { Stream } from '../src/tables/stream.ts';
import { type AnyEvent, streams } from '../src/tables/streams.ts';
import { type DeclaredEvent, type DeclaredStream, declaredStreams } from './declared-events.ts';
import { cell, code, table, toSection, wrapped } from './markdown.ts';

type EventType = AnyEvent['type'];

/** The tables that a use case writes with an event, besides that of its stream. */
export const besideTheStream: Partial<Record<EventType, readonly string[]>> = {
  TotpEnrolled: ['totp_secrets'],
  TotpConfirmed: ['totp_secrets'],
  TotpRemoved: ['totp_secrets'],
  UserRegistered: ['credentials', 'password_hashes', 'subject_keys', 'usernames'],
  ProfileChanged: ['usernames'],
  PasswordChanged: ['password_hashes'],
  SessionStarted: ['device_tokens', 'password_hashes', 'session_key_secrets', 'dpop_proofs'],
  SessionRefreshed: ['dpop_proofs'],
  SessionRevoked: ['session_key_secrets'],
  SessionExpired: ['session_key_secrets'],
  KeyGenerated: ['key_secrets'],
};

/** `docs/events.md`, from the types of the events and the projections. */
export function eventsPage(): string {
  const declared = declaredStreams();
  return `# Events

This page names every event that Latchkey writes, with every field. \`npm run docs\` writes it from
the types and docstrings in \`src/domain/*/events.ts\` and from the projections in
\`src/tables/streams.ts\`.

${table(
  ['Stream', 'Events'],
  declared.map(({ kind, events }) => [
    toSection(title(kind)),
    events.map(({ type }) => toSection(type)).join(', '),
  ]),
)}

## What all events share

${table(['Column of `latchkey.events`', 'Holds'], sharedColumns())}

- Every event has the field \`at\`: the moment of the event, by the clock of the node that decided
  it. A table below names it where it means more.
- Times in \`data\` are epoch milliseconds. Durations are in whole seconds and say so.
- No secret is in \`data\`: no password hash, token, code or private key. A hash in \`secretHash\`
  is SHA-256 (base64url) of a random 256-bit secret.
- \`Rows\` names the tables of the read model that the same transaction may change.
- \`Revokes\` names the entry of \`latchkey.revocations\` that every verifier applies.

${declared.map(streamSection).join('\n\n')}
`;
}

function sharedColumns(): string[][] {
  const kinds = Object.entries(streamKinds).map(([kind, number]) => `${number} ${kind}`);
  return [
    [
      '`pos`',
      'The position in the log, drawn from one sequence. Positions may have gaps (a ' +
        'rolled-back append), never an order that changes',
    ],
    ['`kind`', kinds.join(', ')],
    [
      '`stream_id`, `version`',
      'The stream, and the number of the event in it, from 1 without gaps',
    ],
    [
      '`type`, `schema_v`',
      'The names below; the version of the shape of the data, 1 where the event names none',
    ],
    [
      '`data`',
      'The fields below. JSON: strings, safe integers, booleans, null, lists and maps of them',
    ],
    [
      '`pii`',
      'Personal data as ciphertext: AES-256-GCM under the key of the subject ' +
        '(`src/platform/crypto/subject-cipher.ts`), or null',
    ],
    ['`subject_id`', 'The user whom the event is about, or null'],
    ['`meta.command_id`', 'The command that appended the event'],
    ['`meta.request_id`', "Latchkey's own id of the request"],
    [
      '`meta.correlation_id`',
      'The `X-Correlation-Id` or `X-Request-Id` of a proxy in `TRUSTED_PROXIES` if it is a ' +
        "UUID or 16 to 64 hex digits, else the request's own",
    ],
    [
      '`meta.actor`',
      'A user or client id, a name such as `worker` or `cli`, or null for a stranger',
    ],
    [
      '`meta.actor_type`',
      '`anonymous`, `user`, `admin` for a user who acts below `/admin`, `client`, `worker`, ' +
        'or `system` for the command line and a node that starts',
    ],
    [
      '`meta.os_user`, `meta.host`',
      'Of `latchkey users …`: the account of the operating system that ran it, and the machine',
    ],
    ['`meta.mac`', 'The seal of the service over the whole event but `pos` and `recorded_at`'],
    ['`recorded_at`', 'Database time, for auditors. No decision and no fold reads it'],
  ];
}

function title(kind: string): string {
  return `${kind[0]!.toUpperCase()}${kind.slice(1)}`;
}

function streamSection({ kind, path, meaning, events }: DeclaredStream): string {
  return [
    `## ${title(kind)}`,
    wrapped(`${meaning} Code: \`${path}\`.`),
    ...events.map((event) => eventSection(kind, event)),
  ].join('\n\n');
}

function eventSection(kind: DeclaredStream['kind'], event: DeclaredEvent): string {
  const stream = streams[kind] as unknown as Stream<unknown, DomainEvent, unknown>;
  const rows = [stream.table.name, ...(besideTheStream[event.type as EventType] ?? [])];
  const pii = event.pii === null ? [] : [`- \`pii\`: ${event.pii}.`];
  const schema = event.schemaV === 1 ? [] : [`- \`schema_v\`: ${event.schemaV}.`];
  const facts = [
    ...schema,
    ...pii,
    `- Rows: ${rows.map(code).join(', ')}. Revokes: ${revokes(stream, event)}.`,
  ];
  const fields = event.fields.filter(({ meaning }) => meaning !== '');
  const shown = fields.map(({ name, type, meaning }) => [code(name), type, cell(meaning)]);
  return [
    `### ${event.type}`,
    wrapped(event.meaning),
    facts.join('\n'),
    ...(shown.length === 0 ? [] : [table(['Field', 'Type', 'Meaning'], shown)]),
  ].join('\n\n');
}

/** What the projection makes of the event, and of which of its values. */
function revokes(stream: Stream<unknown, DomainEvent, unknown>, event: DeclaredEvent): string {
  const { type, fields } = event;
  const sample = Object.fromEntries(
    fields.map(({ name, values }) => [name.replace('?', ''), values?.[0] ?? 1]),
  );
  const targetOf = (data: DomainEvent['data']): string => {
    const revocation = stream.revocation('', stream.decider.initialState, { type, data });
    return revocation?.targetKind ?? 'nothing';
  };
  const branches = fields.flatMap(({ name, values }) =>
    (values ?? []).map((value) => ({
      name,
      value,
      target: targetOf({ ...sample, [name]: value }),
    })),
  );
  const targets = new Set([targetOf(sample), ...branches.map(({ target }) => target)]);
  const kinds = [...targets].filter((target) => target !== 'nothing').map(code);
  if (targets.size < 2 || kinds.length !== 1) return kinds[0] ?? 'nothing';
  const when = branches.filter(({ target }) => target !== 'nothing');
  const conditions = when.map(({ name, value }) => `${code(name)} is ${code(value)}`);
  return `${kinds[0]}, if ${conditions.join(' or ')}`;
}
