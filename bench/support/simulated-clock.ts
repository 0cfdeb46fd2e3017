import { openClient } from './bench-postgres.ts';

const noticeMs = 150;

/** One clock for the service and for its database, which a benchmark moves on as it likes. */
export interface SimulatedClock {
  /** Epoch milliseconds. Between two moves it goes on as real time does. */
  readonly now: () => number;
  /** Never backwards. */
  moveTo(at: number): Promise<void>;
}

/**
 * Replaces the clock of a database by one that starts at `startAt` (epoch ms): a function in a
 * schema that the application role finds before Postgres' own, so neither the service nor the
 * migrations change. It holds for connections that are opened afterwards. `now()`, by which the job
 * queue counts its seconds, stays real. It moves until `opened` is closed.
 */
export async function simulateClock(
  opened: AsyncDisposableStack,
  ownerUrl: string,
  startAt: number,
): Promise<SimulatedClock> {
  const owner = await openClient(opened, ownerUrl, 'bench clock');
  await owner.query(`
    create schema simulated;
    create table simulated.clock (old_at timestamptz, old_since timestamptz,
      at timestamptz not null, since timestamptz not null) with (fillfactor = 10);
    create function simulated.clock_timestamp() returns timestamptz language sql volatile as
      'select case when t >= since then at + (t - since) else old_at + (t - old_since) end
        from simulated.clock, pg_catalog.clock_timestamp() t';
    grant usage on schema simulated to latchkey_app;
    grant select on simulated.clock to latchkey_app`);
  const { rows } = await owner.query('select current_database() as name');
  const database = owner.escapeIdentifier(rows[0].name);
  await owner.query(
    `alter role latchkey_app in database ${database}
      set search_path = simulated, pg_catalog, pg_temp`,
  );
  let old = { at: startAt, since: Date.now() };
  let current = old;
  await owner.query('insert into simulated.clock values (null, null, $1, $2)', [
    new Date(current.at),
    new Date(current.since),
  ]);
  let isKnown = true;
  const now = () => {
    const real = Date.now();
    // On a busy machine the database may hear of the step late, and so must this process.
    const { at, since } = isKnown && real >= current.since ? current : old;
    return at + real - since;
  };
  const moveTo = async (next: number) => {
    // Both sides take the step at the same real instant: neither finds the other's clock ahead.
    const step = { at: Math.max(next, now() + noticeMs), since: Date.now() + noticeMs };
    isKnown = false;
    old = current;
    current = step;
    await owner.query(
      'update simulated.clock set old_at = at, old_since = since, at = $1, since = $2',
      [new Date(step.at), new Date(step.since)],
    );
    isKnown = true;
    await new Promise((resolve) => setTimeout(resolve, Math.max(1, step.since - Date.now() + 1)));
  };
  return { now, moveTo };
}
