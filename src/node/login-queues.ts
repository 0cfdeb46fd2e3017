import { createPasswordHasher } from '../platform/crypto/password-hash.ts';
import { type HashProblem, hashProblems } from '../platform/crypto/stored-hash.ts';
import { FairQueue, type ShedReason } from '../platform/fair-queue.ts';
import type { Logger } from '../platform/logging/logging.ts';
import type { Config } from './config.ts';
import type { NodeMetrics } from './metrics.ts';
import type { Node } from './node.ts';

/** What logins wait in. */
export function loginQueues(
  config: Config,
  { metrics, log }: { readonly metrics: NodeMetrics; readonly log: Logger },
): Pick<Node, 'hasher' | 'loginLookups'> {
  const onShed = (reason: ShedReason) => metrics.passwordHashesShed.inc({ reason });
  const onRefusedHash = (reason: HashProblem) => {
    metrics.passwordHashesRefused.inc({ reason });
    log.error({ reason, why: hashProblems[reason] }, 'a stored password hash is not compared');
  };
  return {
    hasher: createPasswordHasher({
      memoryKib: config.passwords.hashMemoryKib,
      onShed,
      onRefusedHash,
    }),
    loginLookups: new FairQueue({
      concurrencyMax: Math.ceil(config.database.poolReaders / 2),
      queueMax: 256,
      groupQueueMax: 128,
      onShed,
    }),
  };
}
