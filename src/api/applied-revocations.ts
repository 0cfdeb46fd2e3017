import type { Command } from '../eventlog/command.ts';
import type { RevocationTarget } from '../projections/revocation.ts';
import type { NodeMemory } from './node-memory.ts';

/** The node that answers a logout refuses its tokens before it answers; the others learn of it by their poll. */
export function applyRevocations(memory: NodeMemory, command: Command): void {
  for (const row of command.rows.revocations ?? []) {
    memory.revoke({
      targetKind: row.target_kind as RevocationTarget,
      target: row.target,
      epoch: row.epoch,
      until: Date.parse(row.until),
    });
  }
}
