import { byProgram } from '../app/by.ts';
import { revokeIssuerKey } from '../app/keyset/revoke-issuer-key.ts';
import { type RotatingNode, rotateIssuerKeys } from '../app/keyset/rotate-issuer-keys.ts';
import { representKeyset } from '../app/keyset/show-keyset.ts';
import { activeKey } from '../domain/keyset/published.ts';
import { announceSecondsMin } from '../domain/keyset/schedule.ts';
import type { KeysetState } from '../domain/keyset/state.ts';
import { loadConfig } from '../node/config.ts';
import { findIssuerKeyset } from '../tables/keyset.ts';
import { withOpenLog } from './open-log.ts';

/** Prints the issuer keyset; never a private part. */
export function keysList(): Promise<void> {
  return withKeyset(async ({ cells }) => (await findIssuerKeyset(cells.home.readers)).state);
}

/**
 * Promotes the older pending key; `now`: whatever its age. Every running node follows at its next
 * poll.
 */
export function keysRotate({ now }: { readonly now: boolean }): Promise<void> {
  return withKeyset(async (node, idempotencyKey) => {
    const keyset = await rotateIssuerKeys(node, { idempotencyKey, now }, cli);
    if (now) console.error(costOfHaste(keyset, node));
    return keyset;
  });
}

/** What verifiers pay for a key that was promoted early. */
function costOfHaste(keyset: KeysetState, { config, now }: RotatingNode): string {
  const { kid, generatedAt } = activeKey(keyset)!;
  const seconds = announceSecondsMin({ ...config.keyset, ...config.verification });
  const waitSeconds = Math.ceil((generatedAt + seconds * 1000 - now()) / 1000);
  if (waitSeconds <= 0) return `Verifiers had time to fetch ${kid}: you did not need --now.`;
  return (
    `${kid} signs now. Verifiers that cache the JWKS may refuse its tokens until they fetch it ` +
    `again, for up to ${waitSeconds} s: restart those that you can.`
  );
}

/** Refuses every token of `kid`, on every node, from its next poll on. */
export function keysRevoke(kid: string): Promise<void> {
  return withKeyset((node, idempotencyKey) => revokeIssuerKey(node, { kid, idempotencyKey }, cli));
}

const cli = byProgram('system', 'cli');

async function withKeyset(
  work: (node: RotatingNode, idempotencyKey: string) => Promise<KeysetState>,
): Promise<void> {
  const config = loadConfig();
  const state = await withOpenLog(config, 'latchkey keys', (opened) =>
    work({ ...opened, config, now: Date.now }, opened.idempotencyKey),
  );
  console.log(JSON.stringify(representKeyset(state), null, 2));
}
