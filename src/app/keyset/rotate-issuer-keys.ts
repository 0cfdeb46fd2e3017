import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { issuerKeysetId } from '../../domain/kernel/ids.ts';
import type { RotateKeys } from '../../domain/keyset/decide.ts';
import { announceSecondsMin } from '../../domain/keyset/schedule.ts';
import type { KeysetState } from '../../domain/keyset/state.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Config } from '../../node/config.ts';
import { usablePendingKids } from '../../node/private-keys.ts';
import { generateSigningKey } from '../../node/signing-keys.ts';
import { findIssuerKeyset, type KeysetRecord } from '../../tables/keyset.ts';
import { streams } from '../../tables/streams.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { stateAfterCommand } from '../first-answer.ts';
import { idempotentCommand, isRepeated } from '../idempotent-command.ts';
import { toTime } from '../representations.ts';
import { changeKeyset } from './change-keyset.ts';
import { type KeysetNode, keySecretRows } from './ensure-issuer-keys.ts';
import { retireForSeconds } from './retire-for-seconds.ts';

/** What a rotation by hand needs to know beside what every change of the keyset does. */
export type RotatingNode = KeysetNode & {
  readonly config: {
    readonly keyset: Pick<Config['keyset'], 'maxAgeSeconds' | 'clientCacheSeconds'>;
  };
};

export interface RotateInput {
  readonly idempotencyKey: string | null;
  /** Whatever the age of the next key: who caches the JWKS may refuse its tokens for a while. */
  readonly now: boolean;
}

/**
 * Promotes the older pending key, once verifiers that cache the JWKS must hold it. The active one
 * verifies until its tokens have expired. Answers the keyset after it; a retry rotates nothing and
 * answers what the first try did. Raises `conflict` (that key was not published for long enough, or
 * the JWKS is full of keys with live tokens; with the time from which it is possible),
 * `unavailable`.
 */
export async function rotateIssuerKeys(
  node: RotatingNode,
  { idempotencyKey, now }: RotateInput,
  by: By,
): Promise<KeysetState> {
  const { config, keyWrap } = node;
  const { clockSkewSeconds } = config.verification;
  const { readers, handler } = node.cells.home;
  const repeatable = idempotentCommand(by, 'rotate-keys', issuerKeysetId, idempotencyKey);
  const newKey = await generateSigningKey(config.keyset.algorithm);
  return handler.run(issuerKeysetId, async (): Promise<Attempt<KeysetState>> => {
    const keyset = await findIssuerKeyset(readers);
    if (await isRepeated(readers, issuerKeysetId, repeatable)) {
      const first = await stateAfterCommand(
        readers,
        issuerKeysetId,
        repeatable.commandId,
        streams.keyset,
      );
      return unchanged(() => first ?? keyset.state);
    }
    const change = decide(keyset, {
      type: 'RotateKeys',
      now: node.now(),
      newKey,
      usableKids: await usablePendingKids(readers, keyWrap, keyset.state),
      announceSeconds: now ? 0 : announceSecondsMin({ ...config.keyset, clockSkewSeconds }),
      retireForSeconds: await retireForSeconds(readers, config),
      jwksMaxKeys: config.keyset.keysMax,
    });
    const secrets = { rows: await keySecretRows(keyWrap, change, [newKey]) };
    return append(by, [change, secrets], () => change.state, repeatable.commandId);
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
