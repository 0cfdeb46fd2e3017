import type { Queryable } from '../../src/eventlog/queryable.ts';

export interface Asked {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/**
 * A connection whose answers a test gives, for what no Postgres of a test says: that it is old, a
 * standby, without its safety, or silent.
 */
export function answering(
  rowsOf: (asked: Asked) => object[] | Promise<object[]>,
): Queryable & { readonly asked: Asked[] } {
  const asked: Asked[] = [];
  const query = async (statement: Asked) => {
    asked.push(statement);
    return { rows: await rowsOf(statement) };
  };
  return { asked, query } as unknown as Queryable & { readonly asked: Asked[] };
}
