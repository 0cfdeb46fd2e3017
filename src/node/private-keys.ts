import { createPublicKey, randomBytes, sign, verify } from 'node:crypto';
import type { KeysetKey } from '@latchkey/contract/keyset-key';
import { signatureAlgorithms } from '@latchkey/verifier/internal/signature-algorithms';
import { activeKey, pendingKeys } from '../domain/keyset/published.ts';
import type { KeysetState } from '../domain/keyset/state.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { type KeyWrap, KeyWrapError, MissingKekError } from '../platform/crypto/key-wrap.ts';
import { importSigningKey, type SigningKey } from './signing-keys.ts';

/** The private parts that this process has opened and proven, by kid; and why others are not here. */
export interface OpenedKeys {
  readonly usable: ReadonlyMap<string, SigningKey>;
  readonly unusable: readonly { readonly key: KeysetKey; readonly error: Error }[];
}

/**
 * Opens the private part of the active and of every pending key, and lets each sign a probe that its
 * public part must verify. One that is `known` is not opened again. Only the database's own errors
 * are thrown: a key that does not open is an answer.
 */
export async function openPrivateKeys(
  client: Queryable,
  keyWrap: KeyWrap,
  state: KeysetState,
  known: ReadonlyMap<string, SigningKey> = new Map(),
): Promise<OpenedKeys> {
  const active = activeKey(state);
  const wanted = [...(active === undefined ? [] : [active]), ...pendingKeys(state)];
  const toOpen = wanted.filter(({ kid }) => !known.has(kid));
  const wrapped = toOpen.length === 0 ? new Map() : await readWrapped(client, toOpen);
  const usable = new Map<string, SigningKey>();
  const unusable: { key: KeysetKey; error: Error }[] = [];
  for (const key of wanted) {
    const opened = known.get(key.kid);
    if (opened !== undefined) usable.set(key.kid, opened);
    else {
      try {
        usable.set(key.kid, await open(keyWrap, key, wrapped.get(key.kid)));
      } catch (error) {
        unusable.push({ key, error: error as Error });
      }
    }
  }
  return { usable, unusable };
}

/**
 * Throws KeyWrapError when the key-encryption key of an active or pending key is not in the ring of
 * this process, which must not start so: another process may sign with that key.
 */
export function requireKeks({ unusable }: OpenedKeys): void {
  for (const { key, error } of unusable) {
    if (!(error instanceof MissingKekError)) continue;
    const { kekId } = error;
    throw new KeyWrapError(
      `the ${key.status} issuer key ${key.kid} is wrapped under ${kekId}, which is not in the ` +
        `ring: add ${kekId} to KEK or, if it is lost, run \`latchkey keys revoke ${key.kid}\``,
      { cause: error },
    );
  }
}

/** The pending keys that this process has opened and proven: only such a one may sign next. */
export async function usablePendingKids(
  client: Queryable,
  keyWrap: KeyWrap,
  state: KeysetState,
): Promise<string[]> {
  const { usable } = await openPrivateKeys(client, keyWrap, state);
  return pendingKeys(state).flatMap(({ kid }) => (usable.has(kid) ? [kid] : []));
}

async function readWrapped(
  client: Queryable,
  keys: readonly KeysetKey[],
): Promise<Map<string, string>> {
  const { rows } = await client.query({
    text: 'select kid, wrapped from latchkey.key_secrets where kid = any ($1)',
    values: [keys.map(({ kid }) => kid)],
  });
  return new Map(rows.map(({ kid, wrapped }) => [kid as string, wrapped as string]));
}

async function open(
  keyWrap: KeyWrap,
  { kid, alg, jwk }: KeysetKey,
  wrapped: string | undefined,
): Promise<SigningKey> {
  if (wrapped === undefined) throw new KeyWrapError(`the private part of ${kid} is missing`);
  const key = importSigningKey(kid, alg, await keyWrap.unwrap(kid, wrapped));
  const { digest, options } = signatureAlgorithms[alg];
  const probe = randomBytes(32);
  const signature = sign(digest, probe, key.privateKey);
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  // With the options beside the key, not in it: whether the signature has them is proven too.
  if (verify(digest, probe, { key: publicKey, ...options }, signature)) return key;
  throw new KeyWrapError(`the private part of ${kid} does not belong to its public part`);
}
