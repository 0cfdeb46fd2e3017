/**
 * The advisory locks of the log, as (class, number). The functions in `migrations/` name the same
 * numbers; a test compares them.
 */
export const advisoryLocks = {
  class: 1279350347,
  append: 1,
  partitions: 2,
  rebuild: 3,
  redisModel: 4,
  mailOutbox: 5,
} as const;
