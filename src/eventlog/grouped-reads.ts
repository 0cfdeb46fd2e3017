import { limits } from '../domain/kernel/limits.ts';
import type { Queryable } from './queryable.ts';

type ReadRow = Record<string, unknown>;

interface Waiting {
  readonly id: string;
  readonly resolve: (row: ReadRow | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads of one row by id, together: those that come while as many statements as there are lanes are
 * under way form the next one, as the appends of the `Writer` do, without a timer. A row is read
 * after it was asked for, never before.
 */
export class GroupedReads {
  readonly #client: Queryable;
  readonly #statement: { readonly name: string; readonly text: string };
  readonly #key: string;
  #lanes: number;
  #waiting: Waiting[] = [];

  /** `text` takes the ids as $1, and answers at most one row for each, with the id as `key`. */
  constructor(
    client: Queryable,
    statement: { readonly name: string; readonly text: string; readonly key: string },
    lanes = 2,
  ) {
    const { key, ...sent } = statement;
    this.#client = client;
    this.#statement = sent;
    this.#key = key;
    this.#lanes = lanes;
  }

  /** The row of `id` as the driver has parsed it; null when there is none. */
  find(id: string): Promise<ReadRow | null> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, resolve, reject });
      this.#wake();
    });
  }

  #wake(): void {
    if (this.#lanes === 0 || this.#waiting.length === 0) return;
    const group = this.#waiting.splice(0, limits.batchCommandsMax);
    this.#lanes -= 1;
    void this.#read(group).finally(() => {
      this.#lanes += 1;
      this.#wake();
    });
  }

  async #read(group: readonly Waiting[]): Promise<void> {
    try {
      const ids = group.map(({ id }) => id);
      const { rows } = await this.#client.query({ ...this.#statement, values: [ids] });
      const byId = new Map(rows.map((row) => [row[this.#key], row]));
      for (const { id, resolve } of group) resolve(byId.get(id) ?? null);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
