import { settledPosition } from '../../eventlog/fence.ts';
import type { LogName } from '../../eventlog/log-identity.ts';
import { readRange } from '../../eventlog/read.ts';
import type { SealedReaders } from '../../eventlog/record-seal.ts';
import { commandsOf } from './batch.ts';
import { beginningOf } from './checkpoint.ts';
import { beginAnew, CheckpointMovedError } from './rebuild.ts';
import type { RedisModelStore } from './store.ts';

export interface ByHand {
  readonly store: RedisModelStore;
  readonly readers: SealedReaders;
  readonly log: LogName;
}

export interface Rebuilt {
  readonly deletedKeys: number;
  readonly from: number;
  readonly upTo: number;
  readonly events: number;
  readonly commands: number;
}

const settleMs = 10_000;
const eventsPerBatch = 500;

/**
 * Builds the model anew up to what is settled in the log now, also that of another log. A worker
 * that runs notices it and goes on from there, or helps: then what remains is left to it. Throws
 * RedisUnavailableError, UnreadableEventError.
 */
export async function rebuildModel({ store, readers, log }: ByHand): Promise<Rebuilt> {
  const upTo = await settledPosition(readers, settleMs);
  const begun = await beginAnew(store, readers, log);
  const { deletedKeys } = begun;
  let { checkpoint } = begun;
  const from = checkpoint.pos;
  let [events, written] = [0, 0];
  while (checkpoint.pos < upTo) {
    const range = { after: checkpoint.pos, upTo, limit: eventsPerBatch };
    const batch = await readRange(readers, range);
    if (batch.length === 0) break;
    const commands = await commandsOf(batch, readers, Date.now());
    const to = { ...checkpoint, pos: batch.at(-1)!.pos };
    if (await store.advance(checkpoint, to, commands)) {
      checkpoint = to;
      events += batch.length;
      written += commands.length;
      continue;
    }
    // A worker works on the same model: it has come further, or it begins anew.
    const found = beginningOf(await store.read(), log, Number.MAX_SAFE_INTEGER);
    if (found.kind !== 'resume') throw new CheckpointMovedError();
    checkpoint = found.checkpoint;
  }
  return { deletedKeys, from, upTo, events, commands: written };
}
