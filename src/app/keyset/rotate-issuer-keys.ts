import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { issuerKeysetId } from '../../domain/kernel/ids.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { keysetDecider, type RotateKeys } from '../../domain/keyset/decide.ts';
import type { KeysetState } from '../../domain/keyset/state.ts';
import { longestAccessTokenTtlSeconds } from '../../domain/session/lifetimes.ts';
import type { EventMeta } from '../../eventlog/command.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import { usablePendingKids } from '../../node/private-keys.ts';
import { generateSigningKey } from '../../node/signing-keys.ts';
import type { Config } from '../../platform/config/config.ts';
import { changeKeyset, mergeRows } from '../../tables/change.ts';
import { findIssuerKeyset, type KeysetRecord } from '../../tables/keyset.ts';
import { stateAfterCommand } from '../first-answer.ts';
import { type IdempotentCommand, isRepeated } from '../idempotent-command.ts';
import { toTime } from '../representations.ts';
import { type KeysetServices, keySecretRows } from './ensure-issuer-keys.ts';

/**
 * Promotes the older pending key now, whatever its age: verifiers hold it already. The active one
 * verifies until its tokens have expired. Answers the keyset after it; a retry rotates nothing and answers
 * what the first try did.
 * Raises `conflict` (the JWKS is full of keys with live tokens, with the time of the first that may
 * go), `unavailable`.
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
      const first = await stateAfterCommand(
        readers,
        issuerKeysetId,
        command.commandId,
        keysetDecider,
      );
      return { command: null, answer: () => first ?? keyset.state };
    }
    const change = decide(keyset, {
      type: 'RotateKeys',
      now: services.now(),
      newKey,
      usableKids: await usablePendingKids(readers, keyWrap, keyset.state),
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

/** The domain's refusal carries epoch milliseconds; clients get RFC 3339. */
function decide(keyset: KeysetRecord, command: RotateKeys) {
  try {
    return changeKeyset(issuerKeysetId, keyset, command);
  } catch (error) {
    if (!(error instanceof LatchkeyError) || error.facts?.possible_at === undefined) throw error;
    const { code, detail = '', retryAfterSeconds = 1 } = error;
    const facts = { possible_at: toTime(error.facts.possible_at as number) };
    throw new LatchkeyError(code, { cause: error, detail, retryAfterSeconds, facts });
  }
}

/** Until the last token that a key signed has expired on every node's clock. */
function retireForSeconds(config: Config): number {
  const longest = longestAccessTokenTtlSeconds(config.lifetimeProfile, config);
  return longest + config.clockSkewSeconds + limits.revocationMarginSeconds;
}
