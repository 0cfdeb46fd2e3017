import type { Queryable } from '../../src/eventlog/queryable.ts';

type Rows = Record<string, Record<string, unknown>[]>;

export type Statement = Parameters<Queryable['query']>[0];

/** Which streams and rows a statement of the `Writer` carries; null for any other statement. */
export function sentAppend({
  name,
  values = [],
}: Statement): { readonly streamIds: string[]; readonly rows: Rows } | null {
  if (name === 'append') return { streamIds: values[1] as string[], rows: rowsOf(values[13]) };
  if (name === 'append-one') return { streamIds: [values[0] as string], rows: rowsOf(values[11]) };
  return null;
}

function rowsOf(json: unknown): Rows {
  return JSON.parse(json as string);
}
