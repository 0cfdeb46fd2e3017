import { limits } from '../../domain/kernel/limits.ts';
import { newId } from '../../platform/new-id.ts';
import { changeSession } from '../../projections/change.ts';
import {
  findExpiredSessions,
  findLiveSessionsPage,
  findSession,
  type SessionPageCursor,
  type SessionRecord,
} from '../../projections/session.ts';
import { everyMinute, type Job, type JobContext } from '../job.ts';
