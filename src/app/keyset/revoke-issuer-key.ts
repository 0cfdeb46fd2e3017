import { issuerKeysetId } from '../../domain/kernel/ids.ts';
import { needsReplacement } from '../../domain/keyset/decide.ts';
import type { KeysetState } from '../../domain/keyset/state.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import { usablePendingKids } from '../../node/private-keys.ts';
import { type GeneratedSigningKey, generateSigningKey } from '../../node/signing-keys.ts';
import { findIssuerKeyset } from '../../tables/keyset.ts';
import { streams } from '../../tables/streams.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { stateAfterCommand } from '../first-answer.ts';
import { idempotentCommand, isRepeated } from '../idempotent-command.ts';
import { changeKeyset } from './change-keyset.ts';
import { type KeysetNode, keySecretRows } from './ensure-issuer-keys.ts';

/**
 * Refuses every token of a key from now on; sessions live on, a refresh gives a token of the key
 * that signs then. An active key is followed by the older pending one. Idempotent. Answers the keyset
 * after it. Raises `not_found`, `unavailable`.
 */
export async function revokeIssuerKey(
  node: KeysetNode,
  { kid, idempotencyKey }: { readonly kid: string; readonly idempotencyKey: string | null },
  by: By,
): Promise<KeysetState> {
  const { config, keyWrap } = node;
  const { readers, handler } = node.cells.home;
  const repeatable = idempotentCommand(by, 'revoke-key', kid, idempotencyKey);
  let newKey: GeneratedSigningKey | undefined;
  return handler.run(issuerKeysetId, async (): Promise<Attempt<KeysetState>> => {
    const keyset = await findIssuerKeyset(readers);
    if (await isRepeated(readers, issuerKeysetId, repeatable)) {
      const { commandId } = repeatable;
      const first = await stateAfterCommand(readers, issuerKeysetId, commandId, streams.keyset);
      return unchanged(() => first ?? keyset.state);
    }
    if (needsReplacement(keyset.state, kid))
      newKey ??= await generateSigningKey(config.keyset.algorithm);
    const change = changeKeyset(issuerKeysetId, keyset, {
      type: 'RevokeKey',
      now: node.now(),
      kid,
      usableKids: await usablePendingKids(readers, keyWrap, keyset.state),
      ...(newKey === undefined ? {} : { newKey }),
    });
    if (change.events.length === 0) return unchanged(() => keyset.state);
    const generated = newKey === undefined ? [] : [newKey];
    const secrets = { rows: await keySecretRows(keyWrap, change, generated) };
    return append(by, [change, secrets], () => change.state, repeatable.commandId);
  });
}
