/** What the log must do, written down as simply as possible: everything in memory, one command at a time. */

export interface ModelTouch {
  readonly stream: number;
  readonly expected: number | 'none' | 'exists' | 'any';
  readonly guard: number | null;
  readonly bumpGuard: boolean;
  readonly events: readonly string[];
}

export interface ModelStream {
  readonly version: number;
  readonly guard: number;
  readonly events: readonly string[];
}

export type ModelOutcome =
  | { readonly appended: readonly number[] }
  | { readonly conflict: readonly { version: number; guard: number }[] };

const absent: ModelStream = { version: 0, guard: 0, events: [] };

export class ReferenceLog {
  readonly #streams = new Map<number, ModelStream>();
  /** Names of all events in the order of their commands. */
  readonly history: string[] = [];

  stream(number: number): ModelStream {
    return this.#streams.get(number) ?? absent;
  }

  append(touches: readonly ModelTouch[]): ModelOutcome {
    if (!touches.every((touch) => this.#accepts(touch))) {
      return { conflict: touches.map(({ stream }) => ({ ...this.#heads(stream) })) };
    }
    for (const { stream, events, bumpGuard } of touches) {
      const before = this.stream(stream);
      const exists = before.version > 0;
      this.#streams.set(stream, {
        version: before.version + events.length,
        guard: before.guard + (bumpGuard && exists ? 1 : 0),
        events: [...before.events, ...events],
      });
      this.history.push(...events);
    }
    return { appended: touches.map(({ stream }) => this.stream(stream).version) };
  }

  #accepts({ stream, expected, guard, events }: ModelTouch): boolean {
    const { version, guard: actual } = this.stream(stream);
    if (version === 0) {
      return (expected === 'none' || expected === 'any') && guard === null && events.length > 0;
    }
    if (guard !== null && guard !== actual) return false;
    return expected === 'any' || expected === 'exists' || expected === version;
  }

  #heads(stream: number) {
    const { version, guard } = this.stream(stream);
    return { version, guard };
  }
}
