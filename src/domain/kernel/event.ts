/**
 * What event data may hold, so that JSON, JSONB and every upcaster agree on it. Integers are safe
 * ones.
 */
export type EventValue =
  | string
  | number
  | boolean
  | null
  | readonly EventValue[]
  | { readonly [key: string]: EventValue };

/**
 * A fact in the past tense. `pii` is ciphertext under the subject's key: the domain carries it and
 * never looks inside.
 */
export interface DomainEvent<
  T extends string = string,
  D = { readonly [key: string]: EventValue },
> {
  readonly type: T;
  readonly data: D;
  readonly pii?: Uint8Array;
}

/**
 * An event whose data was once written otherwise. `V` is the schema version of what is written now;
 * every decision has to name it, and `src/tables/stream.ts` asks how the older ones are read. An
 * event without it is of version 1.
 */
export type InSchema<V extends number, E extends DomainEvent> = E & { readonly schemaV: V };

/** The stream kinds, as stored in `events.kind`; each is a partition of the log. */
export const streamKinds = { user: 1, session: 2, client: 3, keyset: 4, invite: 5 } as const;
export type StreamKind = keyof typeof streamKinds;
