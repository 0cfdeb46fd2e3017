import { issuerKeysetId } from '../../domain/kernel/ids.ts';
import { limits } from '../../domain/kernel/limits.ts';
import type { KeysetState } from '../../domain/keyset/state.ts';
import { deviceTypes } from '../../domain/session/events.ts';
import { lifetimesFor } from '../../domain/session/lifetimes.ts';
import type { EventMeta } from '../../eventlog/command.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Config } from '../../platform/config.ts';
import { changeKeyset, mergeRows } from '../../projections/change.ts';
import { findIssuerKeyset } from '../../projections/keyset.ts';
import { type IdempotentCommand, isRepeated } from '../idempotent-command.ts';
import { generateSigningKey } from '../tokens/signing-keys.ts';
import { type KeysetServices, keySecretRows } from './ensure-issuer-keys.ts';

/**
 * Promotes the pending key now, whatever its age: verifiers hold it already. The active one
 * verifies until its tokens have expired. Answers the keyset after it; a retry rotates nothing.
 * Raises `conflict` (the JWKS is full of keys with live tokens), `unavailable`.
 */
export async function rotateIssuerKeys(
  services: KeysetServices,
  command: IdempotentCommand,
  meta: EventMeta,
): Promise<KeysetState> {
  const { config, readers, keyWrap } = services;
  const newKey = await generateSigningKey(config.keyAlgorithm);
  return services.handler.run(issuerKeysetId, async (): Promise<Attempt<KeysetState>> => {
    const keyset = await findIssuerKeyset(readers);
    if (await isRepeated(readers, issuerKeysetId, command)) {
      return { command: null, answer: () => keyset.state };
    }
    const change = changeKeyset(issuerKeysetId, keyset, {
      type: 'RotateKeys',
      now: services.now(),
      newKey,
      retireForSeconds: retireForSeconds(config),
      jwksMaxKeys: config.jwksMaxKeys,
    });
    return {
      command: {
        commandId: command.commandId,
        meta,
        streams: [change.touch],
        rows: mergeRows(change.rows, await keySecretRows(keyWrap, change, [newKey])),
      },
      answer: () => change.state,
    };
  });
}

/** Until the last token that a key signed has expired on every node's clock. */
function retireForSeconds(config: Config): number {
  const lives = deviceTypes.map(
    (type) => lifetimesFor(type, config.lifetimeProfile, config).accessTokenTtlSeconds,
  );
  return Math.max(...lives) + config.clockSkewSeconds + limits.revocationMarginSeconds;
}
