import { type Comparison, type Difference, differencesMax } from './compare.ts';

/** What a fold meets that a log of ours does not hold: counted all, named up to a bound. */
export class LogFaults {
  readonly #named: Difference[] = [];
  #count = 0;

  add(
    streamId: string,
    shown: { readonly column: string; readonly live: string; readonly rebuilt: string },
  ): void {
    this.#count += 1;
    if (this.#named.length >= differencesMax) return;
    this.#named.push({ table: 'events', key: streamId, kind: 'changed', ...shown });
  }

  get found(): Comparison {
    return { count: this.#count, differences: this.#named };
  }
}
