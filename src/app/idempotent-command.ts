import { derivedId, homeSlot } from '../domain/kernel/ids.ts';
import { isCommandInLog } from '../eventlog/find-command.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { newId } from '../platform/crypto/new-id.ts';
import type { By } from './by.ts';

/** One change of a stream that exists, which a caller may repeat under an Idempotency-Key. */
export interface IdempotentCommand {
  /**
   * The same for the same key of the same actor, route and stream. It names no stream, so nothing
   * reads its slot.
   */
  readonly commandId: string;
  readonly repeatable: boolean;
}

export function idempotentCommand(
  by: Pick<By, 'actor'>,
  route: string,
  target: string,
  idempotencyKey: string | null,
): IdempotentCommand {
  if (idempotencyKey === null) return { commandId: newId(), repeatable: false };
  return { commandId: keyedId(by, route, idempotencyKey, target), repeatable: true };
}

/**
 * The id of what a creating POST makes that belongs to no user: a retry under its Idempotency-Key
 * names the same stream.
 */
export function createdId(
  by: Pick<By, 'actor'>,
  route: string,
  idempotencyKey: string | null,
): string {
  return idempotencyKey === null ? newId() : keyedId(by, route, idempotencyKey);
}

/**
 * Whether this is a retry of a change that is in the log. To be asked inside the attempt, before it
 * decides.
 */
export async function isRepeated(
  readers: Queryable,
  streamId: string,
  { commandId, repeatable }: IdempotentCommand,
): Promise<boolean> {
  return repeatable && (await isCommandInLog(readers, streamId, commandId));
}

function keyedId(
  { actor }: Pick<By, 'actor'>,
  route: string,
  key: string,
  ...target: string[]
): string {
  return derivedId(homeSlot, route, actor.id ?? '', key, ...target);
}
