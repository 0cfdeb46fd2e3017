import type { Redis } from 'ioredis';
import type { LogName } from '../../eventlog/log-identity.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import type { RedisLink } from '../../platform/redis/link.ts';
import { type Checkpoint, checkpointText, epochBeside, markText } from './checkpoint.ts';
import { type RedisCommand, rehearsal } from './entries.ts';

const checkpointKey = 'latchkey:model:checkpoint';
const epochKey = 'latchkey:epoch';
/** All of the model but its checkpoint and epoch. Whatever else the database holds stays. */
const ownPatterns = ['blacklist:*', 'auth:keys:*'] as const;

const answerMs = 1_000;
/** A script holds every other client of Redis up: this many commands take a millisecond or two. */
const commandsPerScript = 1_000;
const keysPerPage = 1_000;

/**
 * Runs the commands and moves the checkpoint and the epoch (ARGV[1] and [2], an absent one is
 * empty) to what follows (ARGV[3] and [4]), if they are still the expected ones. When they are
 * the last ones already (ARGV[5] and [6]) it was done before, and the answer was lost. Redis takes
 * nothing back when it refuses a command, so the checkpoint goes last: a step that was half done is
 * repeated. The first write changes nothing, and a Redis that is full refuses that one only.
 */
const apply = `
local text, epoch = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]) or ''
if text == ARGV[5] and epoch == ARGV[6] then return 1 end
if text ~= ARGV[1] or epoch ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], text)
for _, command in ipairs(cjson.decode(ARGV[7])) do redis.call(unpack(command)) end
if ARGV[4] ~= '' then redis.call('SET', KEYS[2], ARGV[4]) end
redis.call('SET', KEYS[1], ARGV[3])
return 1`;

/**
 * The mark takes the place of the checkpoint, and the model is not to be believed any more. The
 * commands in ARGV[2] go first: when Redis refuses one, the old model stands.
 */
const begin = `
for _, command in ipairs(cjson.decode(ARGV[2])) do redis.call(unpack(command)) end
redis.call('SET', KEYS[2], redis.call('GET', KEYS[2]) or '', 'XX')
redis.call('SET', KEYS[1], ARGV[1])
return redis.call('DEL', KEYS[2])`;

/** Deletes keys, the first one aside, as long as that is still the expected checkpoint. */
const remove = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local deleted = 0
for i = 2, #KEYS do deleted = deleted + redis.call('DEL', KEYS[i]) end
return deleted`;

interface Place {
  readonly text: string;
  readonly epoch: string | null;
}

/** The mark of an emptied model, from which it is begun. */
export interface Clearing {
  readonly clearing: string;
  readonly deletedKeys: number;
}

/** The model in Redis. Every method throws RedisUnavailableError. */
export class RedisModelStore {
  readonly #link: Pick<RedisLink, 'run'>;

  constructor(link: Pick<RedisLink, 'run'>) {
    this.#link = link;
  }

  /** The checkpoint and the epoch as they stand. */
  read(): Promise<{ readonly text: string | null; readonly epoch: string | null }> {
    const work = async (redis: Redis) => {
      const [text, epoch] = await redis.mget(checkpointKey, epochKey);
      return { text: text ?? null, epoch: epoch ?? null };
    };
    return this.#link.run(work, { timeoutMs: answerMs, readsOnly: true });
  }

  /**
   * Applies `commands` together with the checkpoint `to`, and the epoch with a whole model; false
   * when what stands there is not `from` any more, so somebody has emptied Redis or gone on.
   * Commands that are too many for one step are applied before the checkpoint moves. It may be
   * called again when its answer was lost.
   */
  async advance(
    from: Checkpoint | Clearing,
    to: Checkpoint,
    commands: readonly RedisCommand[],
  ): Promise<boolean> {
    const expected = 'clearing' in from ? { text: from.clearing, epoch: null } : placeOf(from);
    const last = placeOf(to);
    let rest = commands;
    for (; rest.length > commandsPerScript; rest = rest.slice(commandsPerScript)) {
      const some = rest.slice(0, commandsPerScript);
      if (!(await this.#apply({ expected, next: expected, last }, some))) return false;
    }
    return this.#apply({ expected, next: last, last }, rest);
  }

  /**
   * Whoever leads, or will, builds the model anew. Nothing has changed when Redis refuses this
   * process what the building takes.
   */
  async ask(log: LogName): Promise<void> {
    await this.#begin(markText('asked', log, newId()), rehearsal);
  }

  /**
   * Deletes the model, and nothing else: its epoch first. A mark takes the place of the checkpoint,
   * and with each new mark the deletion under an older one ends: it would delete what the newer one
   * has written. Null when that has happened.
   */
  async clear(log: LogName): Promise<Clearing | null> {
    const clearing = markText('clearing', log, newId());
    let deletedKeys = await this.#begin(clearing, []);
    for (const pattern of ownPatterns) {
      let cursor = '0';
      do {
        const [next, keys] = await this.#run((redis) =>
          redis.scan(cursor, 'MATCH', pattern, 'COUNT', keysPerPage),
        );
        cursor = next;
        const deleted = keys.length === 0 ? 0 : await this.#remove(clearing, keys);
        if (deleted === -1) return null;
        deletedKeys += deleted;
      } while (cursor !== '0');
    }
    return { clearing, deletedKeys };
  }

  /** What Redis does when it is full; null when it does not say. */
  async evictionPolicy(): Promise<string | null> {
    const info = await this.#link.run((redis) => redis.info('memory'), {
      timeoutMs: answerMs,
      readsOnly: true,
    });
    return /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? null;
  }

  /** How many of these names are blacklisted. */
  blacklisted(names: readonly string[]): Promise<number> {
    if (names.length === 0) return Promise.resolve(0);
    const keys = names.map((name) => `blacklist:${name}`);
    return this.#link.run((redis) => redis.exists(...keys), {
      timeoutMs: answerMs,
      readsOnly: true,
    });
  }

  async #begin(mark: string, first: readonly RedisCommand[]): Promise<number> {
    const texts = [mark, encoded(first)];
    return Number(
      await this.#run((redis) => redis.eval(begin, 2, checkpointKey, epochKey, ...texts)),
    );
  }

  async #apply(
    { expected, next, last }: Record<'expected' | 'next' | 'last', Place>,
    commands: readonly RedisCommand[],
  ): Promise<boolean> {
    const places = [expected, next, last].flatMap(({ text, epoch }) => [text, epoch ?? '']);
    const texts = [...places, encoded(commands)];
    const done = await this.#run((redis) =>
      redis.eval(apply, 2, checkpointKey, epochKey, ...texts),
    );
    return done === 1;
  }

  async #remove(clearing: string, keys: readonly string[]): Promise<number> {
    const names = [checkpointKey, ...keys];
    return Number(await this.#run((redis) => redis.eval(remove, names.length, ...names, clearing)));
  }

  #run<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    return this.#link.run(work, { timeoutMs: answerMs });
  }
}

function placeOf(checkpoint: Checkpoint): Place {
  return { text: checkpointText(checkpoint), epoch: epochBeside(checkpoint) };
}

function encoded(commands: readonly RedisCommand[]): string {
  return JSON.stringify(commands.map((command) => command.map(String)));
}
