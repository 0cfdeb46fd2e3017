import type { Appended, Command } from './command.ts';

/** A command that the writer has been given and not answered yet. */
export interface Pending {
  readonly command: Command;
  resolve: (appended: Appended) => void;
  reject: (error: unknown) => void;
  readonly deadline: number;
  readonly enqueuedAt: number;
  /** Its place in the queue, kept over retries. */
  readonly sequence: number;
  /** A first try found a stream held: wait for it, apart from the commands that need not. */
  patient: boolean;
  /** A connection was lost after this command was sent: it may be in the log already. */
  ambiguous: boolean;
  /** Why the last try did not append it. */
  lastError: unknown;
  /** Pauses between two tries, in its place: later commands on its streams wait behind it. */
  pausing: boolean;
  settled: boolean;
}
