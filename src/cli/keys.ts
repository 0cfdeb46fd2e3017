import type { KeysetServices } from '../api/commands/ensure-issuer-keys.ts';
import { revokeIssuerKey } from '../api/commands/revoke-issuer-key.ts';
import { rotateIssuerKeys } from '../api/commands/rotate-issuer-keys.ts';
import { representKeyset } from '../api/queries/keyset.ts';
import type { KeysetState } from '../domain/keyset/state.ts';
import type { EventMeta } from '../eventlog/command.ts';
import { LogGuard } from '../eventlog/log-guard.ts';
import { openLog } from '../eventlog/open-log.ts';
import { loadConfig } from '../platform/config.ts';
import { loadKeyRing } from '../platform/key-encryption-key.ts';
import { localKeyWrap } from '../platform/key-wrap.ts';
import { createLogger } from '../platform/logging.ts';
import { newId } from '../platform/new-id.ts';
import { createPools } from '../platform/postgres-pool.ts';
import { requireSchema } from '../platform/required-schema.ts';
import { findIssuerKeyset } from '../projections/keyset.ts';
import { databaseUrls } from './database.ts';

/** Prints the issuer keyset; never a private part. */
export function keysList(): Promise<void> {
  return withKeyset(async ({ readers }) => (await findIssuerKeyset(readers)).state);
}

/** Promotes the pending key now. Every running node follows at its next poll. */
export function keysRotate(): Promise<void> {
  return withKeyset((services) => rotateIssuerKeys(services, once(), meta));
}

/** Refuses every token of `kid`, on every node, from its next poll on. */
export function keysRevoke(kid: string): Promise<void> {
  return withKeyset((services) => revokeIssuerKey(services, kid, once(), meta));
}

const meta: EventMeta = { request_id: 'cli', correlation_id: 'cli', actor: 'cli' };

function once() {
  return { commandId: newId(), repeatable: false };
}

async function withKeyset(work: (services: KeysetServices) => Promise<KeysetState>): Promise<void> {
  const config = loadConfig();
  const log = createLogger({ level: config.logLevel, name: 'latchkey keys' });
  const pools = createPools({
    databaseUrl: databaseUrls(config).application,
    readers: 2,
    applicationName: 'latchkey keys',
    logger: log,
  });
  try {
    const { readers } = pools;
    await requireSchema(readers);
    const guard = new LogGuard();
    await guard.check(readers);
    const state = await work({
      config,
      readers,
      handler: openLog(pools, guard).handler,
      keyWrap: localKeyWrap(loadKeyRing(config)),
      now: Date.now,
    });
    console.log(JSON.stringify(representKeyset(state), null, 2));
  } finally {
    await pools.end();
  }
}
