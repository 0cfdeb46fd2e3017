import { limits } from '../../domain/kernel/limits.ts';
import { longestNotedTtlSeconds } from '../../eventlog/access-token-lifetimes.ts';
import type { LogName } from '../../eventlog/log-identity.ts';
import { positionOlderThan } from '../../eventlog/position-at.ts';
import type { SealedReaders } from '../../eventlog/record-seal.ts';
import { currentKeyset } from './batch.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { RedisModelStore } from './store.ts';

/** Somebody else wrote to the model, or emptied it: begin at what is there now. */
export class CheckpointMovedError extends Error {
  override readonly name = 'CheckpointMovedError';

  constructor() {
    super('the checkpoint of the Redis read model is not the one that this process wrote');
  }
}

export interface BegunAnew {
  readonly checkpoint: Checkpoint;
  /** Keys of the old model. */
  readonly deletedKeys: number;
}

/**
 * Empties the model and begins it anew: with the keys, and before the first event that can matter,
 * since a token that was revoked earlier has expired. Who calls it goes on from the checkpoint,
 * and has to make the model whole.
 * Throws RedisUnavailableError, CheckpointMovedError.
 */
export async function beginAnew(
  store: RedisModelStore,
  readers: SealedReaders,
  log: LogName,
): Promise<BegunAnew> {
  const cleared = await store.clear(log);
  if (cleared === null) throw new CheckpointMovedError();
  const lifeSeconds = (await longestNotedTtlSeconds(readers)) + limits.revocationMarginSeconds;
  const { logId, logEpoch } = log;
  const pos = await positionOlderThan(readers, lifeSeconds);
  const checkpoint = { logId, logEpoch, pos, building: true };
  const begun = await store.advance(cleared, checkpoint, await currentKeyset(readers));
  if (!begun) throw new CheckpointMovedError();
  return { checkpoint, deletedKeys: cleared.deletedKeys };
}
