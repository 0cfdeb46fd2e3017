import type { Node } from '../../node/node.ts';
import { identifierMac } from '../../platform/crypto/identifier-index.ts';
import { findKnownUsers } from '../../tables/known-users.ts';
import type { Candidate } from './candidate.ts';
import type { ImportRefusal } from './refusals.ts';

/** `present`: an earlier import has made this user. */
export type Judgement = 'new' | 'present' | { readonly refusal: ImportRefusal };

/** What an import needs of a node. */
export type ImportingNode = Pick<Node, 'cells' | 'subjectKeys' | 'now'> & {
  readonly secrets: Pick<Node['secrets'], 'identifierKey'>;
};

export interface Judged {
  readonly candidate: Candidate;
  readonly identifierMac: Buffer;
  readonly judgement: Judgement;
}

/** Users that are taken for registered from now on, by the lookup key of their address. */
export type Taken = Map<string, string>;

/**
 * What an import does with each of these users, given who is registered and who is in `taken`, to
 * which those that are new are added. One query, whatever their number.
 */
export async function judge(
  node: ImportingNode,
  candidates: readonly Candidate[],
  taken: Taken = new Map(),
): Promise<Judged[]> {
  const named = candidates.map((candidate) => ({
    candidate,
    identifierMac: identifierMac(node.secrets.identifierKey, candidate.email.key),
  }));
  const known = await findKnownUsers(
    node.cells.home.readers,
    candidates.map(({ userId }) => userId),
    named.map((each) => each.identifierMac),
  );
  return named.map(({ candidate, identifierMac: mac }) => {
    const { userId } = candidate;
    const identifier = mac.toString('hex');
    const owner = known.byIdentifier.get(identifier) ?? taken.get(identifier);
    const of = (judgement: Judgement) => ({ candidate, identifierMac: mac, judgement });
    if (owner === userId) return of('present');
    if (owner !== undefined) return of({ refusal: 'address_known' });
    if (known.ids.has(userId) || taken.has(userId)) return of({ refusal: 'id_known' });
    taken.set(identifier, userId);
    taken.set(userId, userId);
    return of('new');
  });
}
