import { issuerKeysetId } from '../../domain/kernel/ids.ts';
import { keysetDecider, needsReplacement } from '../../domain/keyset/decide.ts';
import type { KeysetState } from '../../domain/keyset/state.ts';
import type { EventMeta } from '../../eventlog/command.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import { usablePendingKids } from '../../node/private-keys.ts';
import { type GeneratedSigningKey, generateSigningKey } from '../../node/signing-keys.ts';
import { changeKeyset, mergeRows } from '../../tables/change.ts';
import { findIssuerKeyset } from '../../tables/keyset.ts';
import { stateAfterCommand } from '../first-answer.ts';
import { type IdempotentCommand, isRepeated } from '../idempotent-command.ts';
import { type KeysetServices, keySecretRows } from './ensure-issuer-keys.ts';

/**
 * Refuses every token of a key from now on; sessions live on, a refresh gives a token of the key
 * that signs then. An active key is followed by the older pending one. Idempotent. Answers the keyset
 * after it. Raises `not_found`, `unavailable`.
 */
export async function revokeIssuerKey(
  services: KeysetServices,
  kid: string,
  command: IdempotentCommand,
  meta: EventMeta,
): Promise<KeysetState> {
  const { config, readers, keyWrap } = services;
  let newKey: GeneratedSigningKey | undefined;
  return services.handler.run(issuerKeysetId, async (): Promise<Attempt<KeysetState>> => {
    const keyset = await findIssuerKeyset(readers);
    const unchanged = { command: null, answer: () => keyset.state };
    if (await isRepeated(readers, issuerKeysetId, command)) {
      const { commandId } = command;
      const first = await stateAfterCommand(readers, issuerKeysetId, commandId, keysetDecider);
      return { command: null, answer: () => first ?? keyset.state };
    }
    if (needsReplacement(keyset.state, kid))
      newKey ??= await generateSigningKey(config.keyAlgorithm);
    const change = changeKeyset(issuerKeysetId, keyset, {
      type: 'RevokeKey',
      now: services.now(),
      kid,
      usableKids: await usablePendingKids(readers, keyWrap, keyset.state),
      ...(newKey === undefined ? {} : { newKey }),
    });
    if (change.events.length === 0) return unchanged;
    const generated = newKey === undefined ? [] : [newKey];
    return {
      command: {
        commandId: command.commandId,
        meta,
        streams: [change.touch],
        rows: mergeRows(change.rows, await keySecretRows(keyWrap, change, generated)),
      },
      answer: () => change.state,
    };
  });
}
