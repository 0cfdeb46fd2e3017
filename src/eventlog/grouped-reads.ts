import { limits } from '../domain/kernel/limits.ts';
import { unavailable } from './failure.ts';
import type { Queryable } from './queryable.ts';

const waitMs = 1_000;

type ReadRow = Record<string, unknown>;

interface Waiting {
  readonly id: string;
  readonly resolve: (row: ReadRow | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads of one row by id, together: those that come while as many statements as there are lanes are
 * under way form the next one, as the appends of the `Writer` do. A row is read after it was asked
 * for, never before. A read is `unavailable` after a second, like one that waits for a connection.
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
    const { promise, resolve, reject } = Promise.withResolvers<ReadRow | null>();
    const waiting = { id, resolve, reject };
    const timer = setTimeout(() => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      reject(unavailable('a grouped read waited too long'));
    }, waitMs);
    this.#waiting.push(waiting);
    this.#wake();
    return promise.finally(() => clearTimeout(timer));
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
