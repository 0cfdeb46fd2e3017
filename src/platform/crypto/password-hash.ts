import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { hash as argon2Hash, verify as argon2Verify } from '@node-rs/argon2';
import { FairQueue, type ShedReason, type Turn } from '../fair-queue.ts';
import { bcryptBytes, matchesHash } from './matches-hash.ts';
import {
  type HashProblem,
  type PasswordForm,
  readStoredHash,
  type StoredHash,
} from './stored-hash.ts';

const timeCost = 1;
const parallelism = 1;

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
  /** A stored hash was compared with nothing. */
  readonly onRefusedHash?: (problem: HashProblem) => void;
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
 * Argon2id (RFC 9106) behind a fair queue, and the hashes that were imported. Passwords arrive as
 * typed and are normalised here: to NFC, or as the system did that an imported hash comes from.
 * `turn` says for whom: a group of addresses shares its place in the queue, and `preferred` is for
 * the holder of a good device token.
 */
export interface PasswordHasher {
  /** A PHC string. Throws `unavailable` when it is shed. */
  hash(password: string, turn: Turn): Promise<string>;
  /**
   * Costs the same when there is no hash to compare with, or one that is not to be compared.
   * Throws `unavailable` when it is shed.
   */
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
  onRefusedHash,
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
      const normalized = inForm(password, 'nfc');
      // The library's default algorithm is Argon2id; its enum has no value at run time.
      return queue.run(turn, () =>
        argon2Hash(normalized, { memoryCost: memoryKib, timeCost, parallelism }),
      );
    },

    async verify(hash, password, turn) {
      const read = hash === null ? null : readStoredHash(hash);
      const stored = typeof read === 'string' ? null : read;
      if (typeof read === 'string') onRefusedHash?.(read);
      const matches = await queue.run(turn, async () => {
        await turn.onBegin?.();
        if (stored !== null) return matchesHash(stored.hash, inForm(password, stored.form));
        return argon2Verify(dummyHash, inForm(password, 'nfc'));
      });
      if (!matches || stored === null) return { matches: false, needsRehash: false };
      return { matches, needsRehash: isOutdated(stored, password, memoryKib) };
    },

    get running() {
      return queue.running;
    },
    get queued() {
      return queue.queued;
    },
  };
}

function inForm(password: string, form: PasswordForm): string {
  return form === 'typed' ? password : password.normalize(form === 'nfc' ? 'NFC' : 'NFKC');
}

/** Nobody knows a password for it: its digest is random, yet to refuse one takes a whole hash. */
function unmatchableHash(memoryKib: number): string {
  const base64 = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  const parameters = `m=${memoryKib},t=${timeCost},p=${parallelism}`;
  return `$argon2id$v=19$${parameters}$${base64(randomBytes(16))}$${base64(randomBytes(32))}`;
}

function isOutdated(stored: StoredHash, password: string, memoryKib: number): boolean {
  const { hash, isForeign, form } = stored;
  if (hash.kind === 'bcrypt') {
    // What stands behind the 72nd byte was not compared: to hash it would lock out whoever has
    // typed it right until now.
    return Buffer.byteLength(inForm(password, form), 'utf8') <= bcryptBytes;
  }
  if (isForeign || hash.kind !== 'argon2') return true;
  return (
    hash.variant !== 'id' ||
    hash.memoryKib < memoryKib ||
    hash.passes < timeCost ||
    hash.lanes !== parallelism
  );
}
