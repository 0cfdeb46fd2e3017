import type { Queryable } from './queryable.ts';

/**
 * Waits until what is visible now is as durable as an answered append (`latchkey.confirm`). Callers
 * that come while one is under way share the next one: theirs must begin after they have read.
 */
export class Confirmation {
  readonly #client: Queryable;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(client: Queryable) {
    this.#client = client;
  }

  confirm(): Promise<void> {
    if (this.#running === null) return this.#start();
    const start = () => this.#start();
    this.#next ??= this.#running.then(start, start);
    return this.#next;
  }

  #start(): Promise<void> {
    this.#next = null;
    const running = this.#client
      .query({ name: 'confirm', text: 'select latchkey.confirm()' })
      .then(() => {})
      .finally(() => {
        if (this.#running === running) this.#running = null;
      });
    this.#running = running;
    return running;
  }
}
