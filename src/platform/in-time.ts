/**
 * What `work` resolves to, or `late()` thrown after `ms` milliseconds; the work itself goes on. An
 * answer that has arrived while this process was busy is in time: it is read before the check.
 */
export async function inTime<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => setImmediate(() => reject(late())), ms);
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
