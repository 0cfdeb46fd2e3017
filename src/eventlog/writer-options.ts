import type { Appended, Command } from './command.ts';
import type { Queryable } from './queryable.ts';
import type { RecordSeal } from './record-seal.ts';

export interface WriterObserver {
  /** So many commands shared one transaction. */
  batch(commands: number): void;
  conflict(): void;
  appended(command: Command, seconds: number): void;
  /** The database did not append a batch, for a reason of its own. */
  failed?(error: unknown): void;
  /** `onAppended` threw. */
  hookFailed?(error: unknown): void;
}

export interface WriterOptions {
  /** One lane each; a lane has at most one batch under way. */
  readonly lanes: readonly Queryable[];
  /** Where a command whose answer was lost is looked for. */
  readonly readers: Queryable;
  readonly seal: RecordSeal;
  readonly deadlineMs?: number;
  /** Called for every appended command before its caller hears of it. */
  readonly onAppended?: (command: Command, appended: Appended) => void;
  readonly observer?: WriterObserver;
}
