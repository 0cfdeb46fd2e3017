import type { KeyProof } from '@latchkey/verifier/verify';
import type { Node } from './node.ts';
import type { UseVerification } from './node-memory.ts';
import type { TokenUse } from './token-use.ts';

type Verifying = Pick<Node, 'memory' | 'sessionKeys'>;

/**
 * As `NodeMemory.verifyFor`, with the key of the token's session if this process has not met it
 * yet. Raises `unavailable` when the key cannot be looked for.
 */
export function verifiedFor(node: Verifying, token: string, use: TokenUse, keyProof?: KeyProof) {
  return withKey(node, () => node.memory.verifyFor(token, use, keyProof));
}

/** The same for `NodeMemory.recognizeFor`: for a logout with an expired token. */
export function recognizedFor(node: Verifying, token: string, use: TokenUse, keyProof?: KeyProof) {
  return withKey(node, () => node.memory.recognizeFor(token, use, keyProof));
}

/** The same for `Verifier.recognize`, whatever the token is for. */
export function recognized(node: Verifying, token: string) {
  return withKey(node, () => node.memory.verifier.recognize(token, 'caller_checks'));
}

async function withKey<V extends UseVerification>(
  { sessionKeys }: Pick<Node, 'sessionKeys'>,
  verify: () => V,
): Promise<V> {
  const first = verify();
  const awaited = sessionKeys.lookup.awaitedBy(first);
  if (awaited === null) return first;
  await awaited;
  return verify();
}
