import { openClient } from './bench-postgres.ts';

export interface LockWaits {
  /** Milliseconds; as long as was seen, so at most one look less than it was. */
  readonly longestMs: number;
  /** What waited longest, and for what. */
  readonly longest: string;
  readonly looks: number;
}

const lookMs = 10;

/**
 * Looks at every lock that anybody waits for, a hundred times a second, on a connection of its own
 * with the real clock, until `opened` is closed or `stop` is called, which rejects when a look has
 * failed.
 */
export async function watchLockWaits(
  opened: AsyncDisposableStack,
  ownerUrl: string,
): Promise<{ stop(): Promise<LockWaits> }> {
  const client = await openClient(opened, ownerUrl, 'bench watch');
  let waits: LockWaits = { longestMs: 0, longest: 'nothing', looks: 0 };
  let stopped = false;
  const look = async () => {
    const { rows } = await client.query({
      name: 'look',
      text: `select extract(epoch from clock_timestamp() - l.waitstart)::float8 * 1000 as ms,
          l.locktype || ' ' || l.mode || ': ' || coalesce(a.application_name, '') || ', '
            || left(regexp_replace(a.query, '\\s+', ' ', 'g'), 60) as what
        from pg_locks l join pg_stat_activity a using (pid)
        where not l.granted and l.waitstart is not null order by l.waitstart limit 1`,
    });
    const { ms, what } = rows[0] ?? { ms: 0, what: '' };
    const isLongest = ms > waits.longestMs;
    waits = {
      longestMs: isLongest ? ms : waits.longestMs,
      longest: isLongest ? what : waits.longest,
      looks: waits.looks + 1,
    };
  };
  const watching = (async () => {
    while (!stopped) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  })();
  // A look that fails is told to who asks for the waits, not to the process.
  watching.catch(() => {});
  const stop = async () => {
    stopped = true;
    await watching;
    return waits;
  };
  opened.defer(async () => {
    await stop().catch(() => {});
  });
  return { stop };
}
