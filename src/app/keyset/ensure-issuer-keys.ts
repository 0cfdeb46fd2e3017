import { issuerKeysetId } from '../../domain/kernel/ids.ts';
import { keysMissing } from '../../domain/keyset/decide.ts';
import type { LifetimeSettings } from '../../domain/session/lifetimes.ts';
import type { Config } from '../../node/config.ts';
import type { Node } from '../../node/node.ts';
import { openPrivateKeys, requireKeks } from '../../node/private-keys.ts';
import { type GeneratedSigningKey, generateSigningKey } from '../../node/signing-keys.ts';
import type { KeyWrap } from '../../platform/crypto/key-wrap.ts';
import { findIssuerKeyset } from '../../tables/keyset.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';
import { changeKeyset } from './change-keyset.ts';

export interface KeysetNode extends Pick<Node, 'cells' | 'keyWrap' | 'now'> {
  readonly config: {
    readonly keyset: Omit<Config['keyset'], 'maxAgeSeconds' | 'clientCacheSeconds'>;
    readonly lifetimes: LifetimeSettings;
    readonly verification: Pick<Config['verification'], 'clockSkewSeconds'>;
  };
}

/**
 * An active and two pending issuer keys exist when this resolves, the pending ones of KEY_ALGORITHM:
 * after a change of that setting one rotation is enough. A pending key whose private part does not
 * open under a KEK that this process has is replaced. Of several nodes at once, one makes them.
 * Throws KeyWrapError when the KEK of an active or pending key is missing here: then it replaces
 * nothing.
 */
export async function ensureIssuerKeys(node: KeysetNode, by: By): Promise<void> {
  let generated: GeneratedSigningKey[] = [];
  const { readers, handler } = node.cells.home;
  await handler.run(issuerKeysetId, async () => {
    const keyset = await findIssuerKeyset(readers);
    const alg = node.config.keyset.algorithm;
    const { keyWrap } = node;
    const opened = await openPrivateKeys(readers, keyWrap, keyset.state);
    requireKeks(opened);
    const demand = { alg, unusableKids: opened.unusable.map(({ key }) => key.kid) };
    const missing = keysMissing(keyset.state, demand);
    while (generated.length < missing) generated = [...generated, await generateSigningKey(alg)];
    const change = changeKeyset(issuerKeysetId, keyset, {
      type: 'EnsureKeys',
      now: node.now(),
      generated,
      ...demand,
    });
    const secrets = { rows: await keySecretRows(keyWrap, change, generated) };
    return append(by, [change, secrets], () => undefined);
  });
}

/** The wrapped private parts of those keys that the decision took. */
export async function keySecretRows(
  keyWrap: KeyWrap,
  change: Pick<ReturnType<typeof changeKeyset>, 'events'>,
  generated: readonly GeneratedSigningKey[],
) {
  const taken = change.events.filter(({ type }) => type === 'KeyGenerated');
  const key_secrets = await Promise.all(
    taken.map(async ({ data }) => {
      const key = generated.find(({ kid }) => kid === (data as { kid: string }).kid)!;
      return {
        kid: key.kid,
        purpose: 'issuer-signing',
        wrapped: await keyWrap.wrap(key.kid, key.privateJwk),
      };
    }),
  );
  return key_secrets.length === 0 ? {} : { key_secrets };
}
