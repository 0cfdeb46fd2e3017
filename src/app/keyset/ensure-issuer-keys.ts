import { issuerKeysetId } from '../../domain/kernel/ids.ts';
import { keysMissing } from '../../domain/keyset/decide.ts';
import type { EventMeta } from '../../eventlog/command.ts';
import type { CommandHandler } from '../../eventlog/handle.ts';
import type { SealedReaders } from '../../eventlog/record-seal.ts';
import { openPrivateKeys } from '../../node/private-keys.ts';
import { type GeneratedSigningKey, generateSigningKey } from '../../node/signing-keys.ts';
import type { Config } from '../../platform/config/config.ts';
import type { KeyWrap } from '../../platform/crypto/key-wrap.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { changeKeyset, mergeRows } from '../../tables/change.ts';
import { findIssuerKeyset } from '../../tables/keyset.ts';

export interface KeysetServices {
  readonly config: Config;
  readonly readers: SealedReaders;
  readonly handler: CommandHandler;
  readonly keyWrap: KeyWrap;
  readonly now: () => number;
}

/**
 * An active and two pending issuer keys exist when this resolves, the pending ones of KEY_ALGORITHM:
 * after a change of that setting one rotation is enough. A
 * pending key whose private part does not open is replaced. Of several nodes at once, one makes them.
 */
export async function ensureIssuerKeys(services: KeysetServices, meta: EventMeta): Promise<void> {
  let generated: GeneratedSigningKey[] = [];
  await services.handler.run(issuerKeysetId, async () => {
    const keyset = await findIssuerKeyset(services.readers);
    const alg = services.config.keyAlgorithm;
    const { keyWrap, readers } = services;
    const { unusable } = await openPrivateKeys(readers, keyWrap, keyset.state);
    const demand = { alg, unusableKids: unusable.map(({ key }) => key.kid) };
    const missing = keysMissing(keyset.state, demand);
    while (generated.length < missing) generated = [...generated, await generateSigningKey(alg)];
    const change = changeKeyset(issuerKeysetId, keyset, {
      type: 'EnsureKeys',
      now: services.now(),
      generated,
      ...demand,
    });
    return {
      command:
        change.events.length === 0
          ? null
          : {
              commandId: newId(),
              meta,
              streams: [change.touch],
              rows: mergeRows(
                change.rows,
                await keySecretRows(services.keyWrap, change, generated),
              ),
            },
      answer: () => undefined,
    };
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
