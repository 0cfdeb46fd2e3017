import type { Queryable } from '../../src/eventlog/queryable.ts';
import { findRevocations, nextPass, nothingRead } from '../../src/tables/revocation.ts';

/** All that a node which starts now would load. */
export async function visibleRevocations(client: Queryable) {
  const from = { ...nextPass(nothingRead), limit: 10_000 };
  return (await findRevocations(client, from)).revocations;
}
