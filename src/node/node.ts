import type { KeyWrap } from '../platform/crypto/key-wrap.ts';
import type { PasswordHasher } from '../platform/crypto/password-hash.ts';
import type { SubjectKeys } from '../platform/crypto/subject-cipher.ts';
import type { FairQueue } from '../platform/fair-queue.ts';
import type { Cells } from './cell.ts';
import type { Config } from './config.ts';
import type { DpopProofs } from './dpop-proofs.ts';
import type { ErasureLog } from './erasure-log.ts';
import type { HeldRefusals } from './held-refusals.ts';
import type { NodeMetrics } from './metrics.ts';
import type { NodeMemory } from './node-memory.ts';
import type { RateLimits } from './rate-limits.ts';
import type { ServerSecrets } from './server-secrets.ts';
import type { SessionKeys } from './session-keys.ts';

/**
 * What commands and queries work with; made once per process by the composition root (`serve.ts`).
 */
export interface Node {
  readonly config: Config;
  readonly cells: Cells;
  readonly hasher: PasswordHasher;
  /** For what a login reads before its hash: a flood waits here, and not for the database. */
  readonly loginLookups: FairQueue;
  readonly subjectKeys: SubjectKeys;
  readonly erasures: ErasureLog;
  readonly keyWrap: KeyWrap;
  readonly secrets: ServerSecrets;
  readonly memory: NodeMemory;
  readonly proofs: DpopProofs;
  readonly sessionKeys: SessionKeys;
  readonly rateLimits: RateLimits;
  readonly heldRefusals: HeldRefusals;
  readonly metrics: NodeMetrics;
  /**
   * Reads changed keys and clients into `memory` now, before the answer that tells of the change.
   */
  readonly refreshMemory: () => Promise<void>;
  /** Epoch milliseconds. */
  readonly now: () => number;
}
