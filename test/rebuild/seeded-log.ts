import type pg from 'pg';
import { LatchkeyError } from '../../src/domain/kernel/errors.ts';
import type { StreamKind } from '../../src/domain/kernel/event.ts';
import type { CommandRows } from '../../src/eventlog/command.ts';
import { Writer } from '../../src/eventlog/writer.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { type Change, mergeRows } from '../../src/tables/change.ts';
import { testSeal } from '../support/seal.ts';

export interface Stream<S> {
  readonly id: string;
  version: number;
  state: S;
}

/** What a stream was after an append. */
export interface PastState {
  readonly kind: StreamKind;
  readonly id: string;
  readonly version: number;
  readonly state: unknown;
}

export const populationStartedAt = 1_760_000_000_000;

/** A log that is written in an order drawn from a seed, at times of its own. */
export class SeededLog {
  readonly #writer: Writer;
  readonly random: () => number;
  /** Each that a stream has ever had. */
  readonly states: PastState[] = [];
  clock = populationStartedAt;

  constructor(lanes: readonly pg.Client[], random: () => number) {
    this.#writer = new Writer({ lanes, readers: lanes[0]!, seal: testSeal, deadlineMs: 10_000 });
    this.random = random;
  }

  tick(): number {
    this.clock += 1 + Math.floor(this.random() * 60_000);
    return this.clock;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)]!;
  }

  /** A refusal that nobody records changes nothing. */
  async append<S>(
    stream: Stream<S>,
    decide: () => Change<S>,
    more: CommandRows = {},
  ): Promise<void> {
    let change: Change<S>;
    try {
      change = decide();
    } catch (error) {
      if (error instanceof LatchkeyError) return;
      throw error;
    }
    if (change.events.length === 0) return;
    await this.#writer.append({
      commandId: newId(),
      meta: { request_id: newId(), correlation_id: newId(), actor: 'test', actor_type: 'system' },
      streams: [change.touch],
      rows: mergeRows(change.rows, more),
    });
    stream.version = change.version;
    stream.state = change.state;
    const { kind } = change.touch;
    this.states.push({ kind, id: stream.id, version: stream.version, state: stream.state });
  }
}
