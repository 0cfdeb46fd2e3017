import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { hash as argon2Hash, verify as argon2Verify, parseOptions } from '@node-rs/argon2';
import { LatchkeyError } from '../domain/kernel/errors.ts';

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
}

export interface PasswordCheck {
  readonly matches: boolean;
  /**
   * The password matches, and its hash is weaker than, or of another kind than, what `hash` makes
   * today.
   */
  readonly needsRehash: boolean;
}

/** Argon2id (RFC 9106) behind a semaphore. Passwords arrive normalised (NFC). */
export interface PasswordHasher {
  /** A PHC string. Throws `unavailable` when the queue is full. */
  hash(password: string): Promise<string>;
  /**
   * Costs the same when there is no hash to compare with. Throws `unavailable` when the queue is
   * full.
   */
  verify(hash: string | null, password: string): Promise<PasswordCheck>;
  readonly running: number;
  readonly queued: number;
}

export function createPasswordHasher({
  memoryKib = 47_104,
  concurrencyMax = Math.max(1, availableParallelism() - 1),
  queueMax = 64,
}: PasswordHasherOptions = {}): PasswordHasher {
  const permits = createSemaphore(concurrencyMax, queueMax);
  const dummyHash = unmatchableHash(memoryKib);

  return {
    hash(password) {
      // The library's default algorithm is Argon2id; its enum has no value at run time.
      return permits.run(() =>
        argon2Hash(password, { memoryCost: memoryKib, timeCost, parallelism }),
      );
    },

    async verify(hash, password) {
      const matches = await permits.run(() => argon2Verify(hash ?? dummyHash, password));
      if (!matches || hash === null) return { matches: false, needsRehash: false };
      return { matches, needsRehash: isOutdated(hash, memoryKib) };
    },

    get running() {
      return permits.running;
    },
    get queued() {
      return permits.queued;
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

/**
 * A permit is given back when the work has ended, not when its caller stopped waiting: a caller
 * that hangs up must not let in another hash beside its own.
 */
function createSemaphore(concurrencyMax: number, queueMax: number) {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async run<T>(work: () => Promise<T>): Promise<T> {
      if (running < concurrencyMax) running += 1;
      else if (waiting.length < queueMax) {
        await new Promise<void>((resolve) => waiting.push(resolve));
      } else {
        throw new LatchkeyError('unavailable', {
          retryAfterSeconds: 1,
          detail: 'the queue for password hashing is full',
        });
      }
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
    get running() {
      return running;
    },
    get queued() {
      return waiting.length;
    },
  };
}
