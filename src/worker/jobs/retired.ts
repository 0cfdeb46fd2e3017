/**
 * Jobs of earlier releases that no release has any more: each would be queued for ever, for nobody.
 * A job that a release does not know may be a newer one's, so only these lose their schedules.
 */
export const retiredJobs: readonly string[] = ['keys.remove'];
