import type { Actor } from '../domain/kernel/actor.ts';
import type { EventMeta } from '../eventlog/command.ts';
import { networkOf } from '../platform/client-address.ts';
import type { Turn } from '../platform/fair-queue.ts';

/** An account of the operating system, and on which machine. */
export interface Operator {
  readonly osUser: string;
  readonly host: string;
}

/** Who asks a use case for something, and from where. Nothing of it that names a person is logged. */
export interface By {
  readonly actor: Actor;
  readonly requestId: string;
  readonly correlationId: string;
  /** null where nobody came over a network. */
  readonly address: string | null;
  readonly userAgent: string | null;
  /** Who ran a command on the command line. */
  readonly operator?: Operator;
  /** Whether nobody waits for the answer any more. */
  readonly hasLeft?: () => boolean;
}

/** A program of ours that acts by itself, in the run that `runId` names. */
export function byProgram(
  type: 'worker' | 'system',
  program: 'worker' | 'cli' | 'start-up',
  runId: string = program,
): By {
  const actor = { type, id: program };
  return { actor, requestId: runId, correlationId: runId, address: null, userAgent: null };
}

/** A turn in the queue of hashes, which one network, or one program of ours, shares. */
export function turnOf({ actor, address, hasLeft }: By): Turn {
  const group = address === null ? (actor.id ?? actor.type) : networkOf(address);
  return hasLeft === undefined ? { group } : { group, hasLeft };
}

/** The `meta` of every event that follows from it. */
export function metaOf({ actor, requestId, correlationId, operator }: By): EventMeta {
  return {
    request_id: requestId,
    correlation_id: correlationId,
    actor: actor.id,
    actor_type: actor.type,
    ...(operator === undefined ? {} : { os_user: operator.osUser, host: operator.host }),
  };
}
