import { setTimeout as delay } from 'node:timers/promises';
import { Fence } from '../../eventlog/fence.ts';
import { highestPosition } from '../../eventlog/highest-position.ts';
import { tryToLead } from '../../eventlog/leader.ts';
import type { LogName } from '../../eventlog/log-identity.ts';
import type { Queryable } from '../../eventlog/queryable.ts';
import { readRange } from '../../eventlog/read.ts';
import type { SealedReaders } from '../../eventlog/record-seal.ts';
import type { LeaderConnection } from '../leader-connection.ts';
import { commandsOf } from './batch.ts';
import { advanced, beginningOf, type Checkpoint } from './checkpoint.ts';
import { beginAnew, CheckpointMovedError } from './rebuild.ts';
import type { RedisModelStore } from './store.ts';

export interface ByHand {
  readonly store: RedisModelStore;
  readonly readers: SealedReaders;
  readonly log: LogName;
  /** Opens a connection past any pooler: it holds the leader's lock. */
  readonly connect: () => Promise<LeaderConnection>;
}

/** What this process did itself; all zero when a worker has built the model. */
export interface Rebuilt {
  readonly byWorker: boolean;
  readonly from: number;
  readonly upTo: number;
  readonly deletedKeys: number;
  readonly events: number;
  readonly commands: number;
}

/** A worker leads, and does not build the model. */
class RebuildStalledError extends Error {
  override readonly name = 'RebuildStalledError';

  constructor() {
    super(
      'a running worker leads the read model in Redis and does not build it: its log says why; ' +
        'the model is built once it does, or once it has ended and this is run again',
    );
  }
}

const nothing = { from: 0, deletedKeys: 0, events: 0, commands: 0 } as const;

const eventsPerBatch = 500;
const pollMs = 100;
const fencePauseMs = 25;
/** To delete a model of ten million keys takes a minute, and the checkpoint says nothing meanwhile. */
const stalledAfterMs = 120_000;

/**
 * Has the model built anew, also that of another log, and resolves once it is whole. Whoever leads
 * does it: a worker that runs, or this process. Throws RedisUnavailableError, UnreadableEventError,
 * RebuildStalledError.
 */
export async function rebuildModel(
  byHand: ByHand,
  { stalledMs = stalledAfterMs } = {},
): Promise<Rebuilt> {
  const { store, log, connect } = byHand;
  await store.ask(log);
  const { client, close } = await connect();
  try {
    let seen: { readonly text: string | null; readonly at: number } | null = null;
    while (!(await tryToLead(client, 'redisModel'))) {
      const found = await store.read();
      const beginning = beginningOf(found, log, Number.MAX_SAFE_INTEGER);
      if (beginning.kind === 'resume' && !beginning.checkpoint.building) {
        const { pos } = beginning.checkpoint;
        return { byWorker: true, upTo: pos, ...nothing };
      }
      const now = performance.now();
      if (seen === null || seen.text !== found.text) seen = { text: found.text, at: now };
      if (now > seen.at + stalledMs) throw new RebuildStalledError();
      await delay(pollMs);
    }
    return await buildAsLeader(byHand, client);
  } finally {
    await close();
  }
}

/** Begins anew when somebody empties Redis meanwhile. */
async function buildAsLeader(byHand: ByHand, client: Queryable): Promise<Rebuilt> {
  const done = { ...nothing };
  for (;;) {
    try {
      return { byWorker: false, upTo: await buildOnce(byHand, client, done), ...done };
    } catch (error) {
      if (!(error instanceof CheckpointMovedError)) throw error;
    }
  }
}

/** Answers the position of the whole model. A worker may have led before, and have built some of it. */
async function buildOnce(
  { store, readers, log }: ByHand,
  client: Queryable,
  done: Record<keyof typeof nothing, number>,
): Promise<number> {
  const head = await highestPosition(client);
  const beginning = beginningOf(await store.read(), log, head);
  let checkpoint: Checkpoint;
  if (beginning.kind === 'resume') {
    checkpoint = beginning.checkpoint;
  } else {
    const begun = await beginAnew(store, readers, log);
    checkpoint = begun.checkpoint;
    done.deletedKeys += begun.deletedKeys;
  }
  done.from = checkpoint.pos;
  const fence = new Fence(client);
  while (checkpoint.building) {
    const settled = await fence.advance();
    const range = { after: checkpoint.pos, upTo: settled, limit: eventsPerBatch };
    const events = await readRange(client, range);
    const commands = await commandsOf(events, readers);
    const caughtUpTo = events.length < eventsPerBatch ? settled : null;
    const pos = events.at(-1)?.pos ?? checkpoint.pos;
    const to = advanced(checkpoint, { pos, caughtUpTo, head });
    if (!(await store.advance(checkpoint, to, commands))) throw new CheckpointMovedError();
    checkpoint = to;
    done.events += events.length;
    done.commands += commands.length;
    if (events.length === 0) await delay(fencePauseMs);
  }
  return checkpoint.pos;
}
