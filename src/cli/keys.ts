import { byProgram } from '../app/by.ts';
import type { KeysetNode } from '../app/keyset/ensure-issuer-keys.ts';
import { revokeIssuerKey } from '../app/keyset/revoke-issuer-key.ts';
import { rotateIssuerKeys } from '../app/keyset/rotate-issuer-keys.ts';
import { representKeyset } from '../app/keyset/show-keyset.ts';
import type { KeysetState } from '../domain/keyset/state.ts';
import { loadConfig } from '../node/config.ts';
import { findIssuerKeyset } from '../tables/keyset.ts';
import { withOpenLog } from './open-log.ts';

/** Prints the issuer keyset; never a private part. */
export function keysList(): Promise<void> {
  return withKeyset(async ({ cells }) => (await findIssuerKeyset(cells.home.readers)).state);
}

/** Promotes the older pending key now. Every running node follows at its next poll. */
export function keysRotate(): Promise<void> {
  return withKeyset((node, idempotencyKey) => rotateIssuerKeys(node, { idempotencyKey }, cli));
}

/** Refuses every token of `kid`, on every node, from its next poll on. */
export function keysRevoke(kid: string): Promise<void> {
  return withKeyset((node, idempotencyKey) => revokeIssuerKey(node, { kid, idempotencyKey }, cli));
}

const cli = byProgram('system', 'cli');

async function withKeyset(
  work: (node: KeysetNode, idempotencyKey: string) => Promise<KeysetState>,
): Promise<void> {
  const config = loadConfig();
  const state = await withOpenLog(config, 'latchkey keys', (opened) =>
    work({ ...opened, config, now: Date.now }, opened.idempotencyKey),
  );
  console.log(JSON.stringify(representKeyset(state), null, 2));
}
