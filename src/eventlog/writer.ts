import { limits } from '../domain/kernel/limits.ts';
import { appendBatch, type TouchOutcome } from './append.ts';
import {
  type Appended,
  BusyError,
  type Command,
  ConflictError,
  UniqueViolationError,
} from './command.ts';
import { classifyFailure, unavailable } from './failure.ts';
import { requireFewStreams } from './few-streams.ts';
import { requireOneSlot } from './one-slot.ts';
import type { Pending } from './pending.ts';
import type { Queryable } from './queryable.ts';
import { readBack } from './read-back.ts';
import type { WriterOptions } from './writer-options.ts';

/** With one bad in 100: 15 round trips and 225 rows; halves would carry 300. */
const partsOfBrokenBatch = 5;

/** As long as `latchkey.append` waits for a held stream, and a little for the way there. */
const lockWaitMs = 60;

/**
 * Group commit without a timer: commands that arrive while both lanes are busy form the next batch.
 * Two commands that share a stream are never under way at once. A command that breaks its batch is
 * found by splitting; the others succeed.
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #deadlineMs: number;
  readonly #queue: Pending[] = [];
  readonly #held = new Set<string>();
  readonly #idle: Queryable[];
  #patientUnderWay = false;
  #underWay = 0;
  #sequence = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? 1_500;
    this.#idle = [...options.lanes];
  }

  /**
   * Durable once it resolves. Rejects with ConflictError (decide again), UniqueViolationError, an
   * `internal_error` for a command that should not have been made (too many streams, two slots), or
   * an `unavailable` error when the database did not answer, or a stream stayed held, until the
   * deadline.
   */
  append(command: Command): Promise<Appended> {
    return new Promise((resolve, reject) => {
      requireFewStreams(command);
      requireOneSlot(command);
      const now = performance.now();
      const pending: Pending = {
        command,
        resolve,
        reject,
        deadline: now + this.#deadlineMs,
        enqueuedAt: now,
        sequence: this.#sequence++,
        patient: false,
        ambiguous: false,
        lastError: undefined,
        pausing: false,
        settled: false,
      };
      const timer = setTimeout(
        () => this.#fail(pending, unavailable('append missed its deadline', pending.lastError)),
        this.#deadlineMs,
      );
      pending.resolve = (appended) => {
        clearTimeout(timer);
        resolve(appended);
      };
      pending.reject = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      this.#queue.push(pending);
      this.#wake();
    });
  }

  /** Commands waiting for a lane. */
  get queued(): number {
    return this.#queue.length;
  }

  #wake(): void {
    while (this.#idle.length > 0 && this.#queue.length > 0) {
      const batch = this.#take();
      if (batch.length === 0) return;
      const lane = this.#idle.pop()!;
      void this.#run(lane, batch).finally(() => {
        this.#release(batch);
        this.#idle.push(lane);
        this.#wake();
      });
    }
  }

  #take(): Pending[] {
    const batch: Pending[] = [];
    const skipped: Pending[] = [];
    let patient: boolean | undefined;
    const blocked = new Set<string>();
    const most = this.#batchMax();
    for (const pending of this.#queue) {
      if (pending.settled) continue;
      const ids = pending.command.streams.map(({ streamId }) => streamId);
      const free =
        batch.length < most &&
        !pending.pausing &&
        (patient === undefined || patient === pending.patient) &&
        !(pending.patient && this.#patientUnderWay) &&
        !ids.some((id) => this.#held.has(id) || blocked.has(id));
      if (!free) {
        // Later commands on the same stream wait behind this one: first come, first served.
        for (const id of ids) blocked.add(id);
        skipped.push(pending);
        continue;
      }
      patient = pending.patient;
      for (const id of ids) this.#held.add(id);
      batch.push(pending);
    }
    this.#queue.splice(0, this.#queue.length, ...skipped);
    if (patient === true) this.#patientUnderWay = true;
    this.#underWay += batch.length;
    return batch;
  }

  /**
   * A lane's even share. One that took all would leave the other with the few commands that come
   * next, again and again, and a batch costs much the same whether it holds one or ten.
   */
  #batchMax(): number {
    const outstanding = this.#queue.length + this.#underWay;
    const share = Math.ceil(outstanding / this.#options.lanes.length);
    return Math.min(share, limits.batchCommandsMax);
  }

  #release(batch: readonly Pending[]): void {
    this.#underWay -= batch.length;
    for (const { command } of batch) {
      for (const { streamId } of command.streams) this.#held.delete(streamId);
    }
    if (batch[0]?.patient === true) this.#patientUnderWay = false;
  }

  async #run(lane: Queryable, batch: readonly Pending[]): Promise<void> {
    const isAbandoned = () => batch.every(({ settled }) => settled);
    if (isAbandoned()) return;
    let outcomes: TouchOutcome[][];
    try {
      outcomes = await appendBatch(
        lane,
        batch.map(({ command }) => command),
        {
          patient: batch[0]!.patient,
          seal: this.#options.seal,
          isAbandoned,
        },
      );
    } catch (error) {
      await this.#recover(lane, batch, error);
      return;
    }
    this.#options.observer?.batch(batch.length);
    for (const [index, pending] of batch.entries()) {
      await this.#settle(pending, outcomes[index]!);
    }
  }

  async #settle(pending: Pending, outcomes: readonly TouchOutcome[]): Promise<void> {
    const { command } = pending;
    if (outcomes.every(({ outcome }) => outcome === 'appended')) {
      this.#succeed(pending, {
        streams: command.streams.map(({ streamId }, touch) => ({
          streamId,
          version: outcomes[touch]!.version,
          lastPos: outcomes[touch]!.lastPos,
        })),
      });
      return;
    }
    if (outcomes.some(({ outcome }) => outcome === 'conflict')) {
      const conflict = () => {
        this.#options.observer?.conflict();
        const actual = command.streams.map(({ streamId }, touch) => ({
          streamId,
          version: outcomes[touch]!.version,
          guard: outcomes[touch]!.guard,
        }));
        this.#fail(pending, new ConflictError(actual));
      };
      if (pending.ambiguous) await this.#unlessInLog(pending, conflict);
      else conflict();
      return;
    }
    pending.lastError = new BusyError();
    this.#again(pending);
  }

  async #recover(lane: Queryable, batch: readonly Pending[], error: unknown): Promise<void> {
    const failure = classifyFailure(error);
    for (const pending of batch) pending.lastError = error;
    if (failure.kind === 'connection') {
      this.#options.observer?.failed?.(error);
      for (const pending of batch) pending.ambiguous = true;
      const retry = (pending: Pending) => this.#unlessInLog(pending, () => this.#again(pending));
      await Promise.all(batch.map(retry));
      return;
    }
    if (batch.length > 1) {
      const size = Math.ceil(batch.length / partsOfBrokenBatch);
      for (let from = 0; from < batch.length; from += size) {
        await this.#run(lane, batch.slice(from, from + size));
      }
      return;
    }
    const pending = batch[0]!;
    if (failure.kind === 'other') {
      if (!(failure.error instanceof UniqueViolationError)) this.#options.observer?.failed?.(error);
      const fail = () => this.#fail(pending, failure.error);
      if (pending.ambiguous) await this.#unlessInLog(pending, fail);
      else fail();
      return;
    }
    // A lost race is tried again: now the stream is there, and a conflict can say its version.
    if (pending.ambiguous) await this.#unlessInLog(pending, () => this.#again(pending));
    else this.#again(pending);
  }

  /**
   * Looks whether an earlier try was committed after all; when the log cannot be asked now, both
   * are tried again.
   */
  async #unlessInLog(pending: Pending, otherwise: () => void): Promise<void> {
    let appended: Appended | null;
    try {
      appended = await readBack(this.#options.readers, pending.command);
    } catch (error) {
      const failure = classifyFailure(error);
      if (failure.kind === 'other') this.#fail(pending, failure.error);
      else this.#again(pending);
      return;
    }
    if (appended === null) otherwise();
    else this.#succeed(pending, appended);
  }

  #again(pending: Pending): void {
    if (pending.settled) return;
    const waitMs = pending.patient ? 5 + Math.random() * 45 : 0;
    // A try that could still be waiting for the lock at the deadline is not begun: what is answered
    // with 'unavailable' should not be appended a moment later.
    if (performance.now() + waitMs + lockWaitMs >= pending.deadline) {
      const { lastError } = pending;
      const wasHeld = lastError === undefined || classifyFailure(lastError).kind !== 'connection';
      this.#fail(
        pending,
        unavailable(wasHeld ? 'a stream stayed held' : 'not appended', lastError),
      );
      return;
    }
    pending.patient = true;
    pending.pausing = true;
    const later = this.#queue.findIndex(({ sequence }) => sequence > pending.sequence);
    this.#queue.splice(later === -1 ? this.#queue.length : later, 0, pending);
    setTimeout(() => {
      pending.pausing = false;
      this.#wake();
    }, waitMs);
  }

  #succeed(pending: Pending, appended: Appended): void {
    // Also when its caller gave up: what is in the log must be in this node's memory.
    try {
      this.#options.onAppended?.(pending.command, appended);
    } catch (error) {
      // It is committed all the same, and the poll will tell this node what the hook could not.
      this.#options.observer?.hookFailed?.(error);
    }
    if (pending.settled) return;
    pending.settled = true;
    const seconds = (performance.now() - pending.enqueuedAt) / 1000;
    this.#options.observer?.appended(pending.command, seconds);
    pending.resolve(appended);
  }

  #fail(pending: Pending, error: unknown): void {
    if (pending.settled) return;
    pending.settled = true;
    pending.reject(error);
  }
}
