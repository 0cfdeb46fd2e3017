import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { hash as argon2Hash, verify as argon2Verify, parseOptions } from '@node-rs/argon2';
import { FairQueue, type ShedReason, type Turn } from '../fair-queue.ts';

const timeCost = 1;
const parallelism = 1;
const argon2id = 2;

export interface PasswordHasherOptions {
  /** Argon2 memory of one hash, in KiB. */
  readonly memoryKib?: number;
  /** Hashes computed at the same time; one core is left to the event loop by default. */
  readonly concurrencyMax?: number;
  /** Hashes that may wait for their turn; more are shed. */
  readonly queueMax?: number;
  /** Hashes of one group that may wait for their turn. */
  readonly groupQueueMax?: number;
  readonly onShed?: (reason: ShedReason) => void;
}

export interface CheckTurn extends Turn {
  /** Called when the turn has come, before the password is compared; what it throws ends the turn. */
  readonly onBegin?: () => Promise<void>;
}

export interface PasswordCheck {
  readonly matches: boolean;
  /**
   * The password matches, and its hash is weaker than, or of another kind than, what `hash` makes
   * today.
   */
  readonly needsRehash: boolean;
}

/**
 * Argon2id (RFC 9106) behind a fair queue. Passwords arrive normalised (NFC). `turn` says for whom:
 * a group of addresses shares its place in the queue, and `preferred` is for the holder of a good
 * device token.
 */
export interface PasswordHasher {
  /** A PHC string. Throws `unavailable` when it is shed. */
  hash(password: string, turn: Turn): Promise<string>;
  /** Costs the same when there is no hash to compare with. Throws `unavailable` when it is shed. */
  verify(hash: string | null, password: string, turn: CheckTurn): Promise<PasswordCheck>;
  readonly running: number;
  readonly queued: number;
}

export function createPasswordHasher({
  memoryKib = 47_104,
  concurrencyMax = Math.max(1, availableParallelism() - 1),
  queueMax = 128,
  groupQueueMax = Math.ceil(queueMax / 2),
  onShed,
}: PasswordHasherOptions = {}): PasswordHasher {
  const queue = new FairQueue({
    concurrencyMax,
    queueMax,
    groupQueueMax,
    ...(onShed === undefined ? {} : { onShed }),
  });
  const dummyHash = unmatchableHash(memoryKib);

  return {
    hash(password, turn) {
      // The library's default algorithm is Argon2id; its enum has no value at run time.
      return queue.run(turn, () =>
        argon2Hash(password, { memoryCost: memoryKib, timeCost, parallelism }),
      );
    },

    async verify(hash, password, turn) {
      const matches = await queue.run(turn, async () => {
        await turn.onBegin?.();
        return argon2Verify(hash ?? dummyHash, password);
      });
      if (!matches || hash === null) return { matches: false, needsRehash: false };
      return { matches, needsRehash: isOutdated(hash, memoryKib) };
    },

    get running() {
      return queue.running;
    },
    get queued() {
      return queue.queued;
    },
  };
}

/** Nobody knows a password for it: its digest is random, yet to refuse one takes a whole hash. */
function unmatchableHash(memoryKib: number): string {
  const base64 = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  const parameters = `m=${memoryKib},t=${timeCost},p=${parallelism}`;
  return `$argon2id$v=19$${parameters}$${base64(randomBytes(16))}$${base64(randomBytes(32))}`;
}

function isOutdated(hash: string, memoryKib: number): boolean {
  const used = parseOptions(hash);
  return (
    used.algorithm !== argon2id ||
    used.memoryCost < memoryKib ||
    used.timeCost < timeCost ||
    used.parallelism !== parallelism
  );
}
