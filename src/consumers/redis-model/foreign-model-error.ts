/** Another installation keeps its model there: two would delete each other's. */
export class ForeignModelError extends Error {
  override readonly name = 'ForeignModelError';

  constructor(logId: string) {
    super(
      `this Redis database holds the read model of the log ${logId}: give each installation a ` +
        'database of its own (REDIS_URL ends in /1), or take this one over with ' +
        '`latchkey redis rebuild`',
    );
  }
}
