const turnMs = 50;

/**
 * The result of `work`, which must end within `ms` of the time in which this process runs: a turn
 * of 50 ms counts as such however long the machine let the process wait. So a bound on our own
 * deadlines holds on a machine under any load, and still fails on a deadline that is not kept.
 */
export async function withinOwnTime<T>(ms: number, work: Promise<T>): Promise<T> {
  let ended = false;
  const settled = work.finally(() => {
    ended = true;
  });
  settled.catch(() => {});
  for (let turns = 0; turns < ms / turnMs && !ended; turns += 1) {
    await new Promise((resolve) => setTimeout(resolve, turnMs));
  }
  if (!ended) throw new Error(`not within ${ms} ms of the time in which this process ran`);
  return settled;
}
