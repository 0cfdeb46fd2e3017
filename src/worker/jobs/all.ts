import type { Job } from '../job.ts';
import { checkLog, checkLogWhole } from './check-log.ts';
import { ensurePartitions } from './ensure-partitions.ts';
import { expireSessions } from './expire-sessions.ts';
import { keepErasures } from './keep-erasures.ts';
import {
  pruneOldCounts,
  pruneOldEpochs,
  pruneOldProofs,
  pruneOldRevocations,
  pruneOldSessions,
} from './prune.ts';

/** Every job of a worker, once each. */
export function allJobs(): Job[] {
  return [
    expireSessions(),
    pruneOldRevocations,
    pruneOldEpochs,
    pruneOldProofs,
    pruneOldCounts,
    pruneOldSessions,
    ensurePartitions,
    checkLog,
    checkLogWhole,
    keepErasures(),
  ];
}
