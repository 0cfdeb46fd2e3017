import type { Queryable } from './queryable.ts';

/** A node whose clock is further from the database's decides nothing. */
export const clockSkewMsMax = 1_000;

/** This machine's clock and the database's disagree; the message says by how much. */
export class ClockSkewError extends Error {
  override readonly name = 'ClockSkewError';
}

/** Epoch milliseconds. */
export async function databaseTime(client: Queryable): Promise<number> {
  const { rows } = await client.query({ text: 'select clock_timestamp() as at' });
  return (rows[0]!.at as Date).getTime();
}

/**
 * Throws ClockSkewError when `now` (epoch ms) differs from the database's clock by more than
 * `clockSkewMsMax`, the time of the round trip not counted.
 */
export async function requireSameClock(client: Queryable, now: () => number): Promise<void> {
  const sentAt = now();
  const at = await databaseTime(client);
  const receivedAt = now();
  if (at >= sentAt - clockSkewMsMax && at <= receivedAt + clockSkewMsMax) return;
  const ahead = Math.round((sentAt - at) / 1000);
  const relation = ahead > 0 ? 'ahead of' : 'behind';
  throw new ClockSkewError(
    `this machine's clock is ${Math.abs(ahead)} s ${relation} the database's: set both by NTP`,
  );
}
