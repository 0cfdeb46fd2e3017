import { factorIdsOf } from '../domain/user/second-factor.ts';
import type { UserState } from '../domain/user/state.ts';
import type { CommandRows } from '../eventlog/command.ts';
import type { Queryable } from '../eventlog/queryable.ts';

/**
 * Under which key id the secret of a factor is wrapped: that of another factor does not open in its
 * place, and the sealed row of the user names the factor.
 */
export function totpKeyId(factorId: string): string {
  return `totp:${factorId}`;
}

/** The secret of a factor that a user is about to be given; wrapped. */
export function totpSecretRows(factorId: string, wrapped: string): CommandRows {
  return { totp_secrets: [{ factor_id: factorId, wrapped }] };
}

/** Whoever drops or replaces a factor: its secret goes in the same transaction. */
export function droppedFactorRows(before: UserState, after: UserState): CommandRows {
  const kept = new Set(factorIdsOf(after));
  const dropped = factorIdsOf(before).filter((factorId) => !kept.has(factorId));
  if (dropped.length === 0) return {};
  return { totp_secrets: dropped.map((factor_id) => ({ factor_id, wrapped: null })) };
}

/** The wrapped secret; null once the factor is gone. */
export async function findTotpSecret(client: Queryable, factorId: string): Promise<string | null> {
  const { rows } = await client.query({
    name: 'find-totp-secret',
    text: 'select wrapped from latchkey.totp_secrets where factor_id = $1',
    values: [factorId],
  });
  return (rows[0]?.wrapped as string | undefined) ?? null;
}
