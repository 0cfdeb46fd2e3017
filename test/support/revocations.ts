import type { Queryable } from '../../src/eventlog/queryable.ts';
import { emptySnapshot } from '../../src/eventlog/snapshot.ts';
import { findRevocations, placeAfter } from '../../src/projections/revocation.ts';

/** All that a node which starts now would load. */
export async function visibleRevocations(client: Queryable) {
  const from = { after: placeAfter(emptySnapshot), open: [], limit: 10_000 };
  return (await findRevocations(client, from)).revocations;
}
