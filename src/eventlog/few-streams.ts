import { LatchkeyError } from '../domain/kernel/errors.ts';
import { limits } from '../domain/kernel/limits.ts';
import type { Command } from './command.ts';

/** Raises `internal_error` for a command of more streams than one append may lock. */
export function requireFewStreams({ streams }: Command): void {
  const most = limits.streamsPerCommandMax;
  if (streams.length <= most) return;
  const detail = `a command of ${streams.length} streams: at most ${most}`;
  throw new LatchkeyError('internal_error', { detail });
}
