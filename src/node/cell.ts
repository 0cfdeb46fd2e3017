import type { CommandHandler } from '../eventlog/handle.ts';
import type { SealedReaders } from '../eventlog/record-seal.ts';
import { SessionsByKid } from '../tables/session-key.ts';
import { SessionsWithUsers } from '../tables/session-with-user.ts';

/** One database with one log, as this process works with it. */
export interface Cell {
  /** The log that its positions belong to. */
  readonly logId: string;
  readonly readers: SealedReaders;
  readonly sessionsWithUsers: SessionsWithUsers;
  readonly sessionsByKid: SessionsByKid;
  readonly handler: CommandHandler;
}

/** The way from an id to the data of its slot. Use cases reach no database in another way. */
export interface Cells {
  /** What belongs to no user, what is found by an address or a kid, and lists of all users. */
  readonly home: Cell;
  /** The cell that owns the slot of this id, of a user or of what belongs to one. */
  of(id: string): Cell;
}

/** All slots in one cell. */
export function oneCell(parts: Omit<Cell, 'sessionsWithUsers' | 'sessionsByKid'>): Cells {
  const sessionsWithUsers = new SessionsWithUsers(parts.readers);
  const cell = { ...parts, sessionsWithUsers, sessionsByKid: new SessionsByKid(parts.readers) };
  return { home: cell, of: () => cell };
}
