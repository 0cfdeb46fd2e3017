import type { ErrorCode } from '@latchkey/contract/error-code';
import { expect } from 'vitest';
import { type Decider, fold } from '../../src/domain/kernel/decider.ts';
import { LatchkeyError } from '../../src/domain/kernel/errors.ts';
import type { DomainEvent } from '../../src/domain/kernel/event.ts';

/**
 * `given(...events).when(command)`, then exactly one of the outcomes. Whole events are compared.
 */
export function specificationFor<S, C, E extends DomainEvent>(decider: Decider<S, C, E>) {
  return {
    given: (...events: E[]) => ({
      when: (command: C) => new Outcome(decider, events, command),
    }),
  };
}

class Outcome<S, C, E extends DomainEvent> {
  readonly #decider: Decider<S, C, E>;
  readonly #before: S;
  readonly #command: C;

  constructor(decider: Decider<S, C, E>, events: readonly E[], command: C) {
    this.#decider = decider;
    this.#before = fold(decider.evolve, decider.initialState, events);
    this.#command = command;
  }

  /** Accepted, with these events; without any: accepted, and nothing to record. */
  thenRecords(...events: E[]): void {
    expect(this.#decide()).toStrictEqual({ events });
  }

  /** The caller is answered `code` after these events are committed. */
  thenRecordsAndRefuses(code: ErrorCode, ...events: E[]): void {
    expect(this.#decide()).toStrictEqual({ events, refusal: code });
  }

  /** The caller is answered `code` and nothing is recorded. */
  thenRefuses(code: ErrorCode, expected: Partial<LatchkeyError> = {}): void {
    expect(this.#thrown()).toMatchObject({ name: 'LatchkeyError', code, ...expected });
  }

  /** No caller may cause this: a plain error, not a refusal. */
  thenBreaks(message: RegExp): void {
    const error = this.#thrown();
    expect(error).not.toBeInstanceOf(LatchkeyError);
    expect((error as Error).message).toMatch(message);
  }

  /** The state after the decided events, for what an event alone does not show. */
  state(): S {
    return fold(this.#decider.evolve, this.#before, this.#decide().events);
  }

  #decide() {
    return this.#decider.decide(this.#before, this.#command);
  }

  #thrown(): unknown {
    try {
      this.#decide();
    } catch (error) {
      return error;
    }
    return expect.unreachable('the command was accepted');
  }
}
