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

/** Users that are taken for registered from now on, by id and by the lookup keys of their names. */
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
  const { identifierKey } = node.secrets;
  const named = candidates.map((candidate) => {
    const { email, username } = candidate;
    const mac = identifierMac(identifierKey, email.key);
    const nameMac = username === null ? null : identifierMac(identifierKey, username);
    return { candidate, identifierMac: mac, usernameMac: nameMac };
  });
  const known = await findKnownUsers(
    node.cells.home.readers,
    candidates.map(({ userId }) => userId),
    named.map((each) => each.identifierMac),
    named.flatMap((each) => each.usernameMac ?? []),
  );
  return named.map((each) => {
    const { userId } = each.candidate;
    const [identifier, username] = [each.identifierMac, each.usernameMac].map(
      (mac) => mac?.toString('hex') ?? null,
    ) as [string, string | null];
    const owner = known.byIdentifier.get(identifier) ?? taken.get(identifier);
    const of = (judgement: Judgement) => ({ ...each, judgement });
    // First: nothing that an erased user has left in a file is compared with anybody.
    if (known.erased.has(userId)) return of({ refusal: 'erased' });
    if (owner === userId) return of('present');
    if (owner !== undefined) return of({ refusal: 'address_known' });
    if (known.ids.has(userId) || taken.has(userId)) return of({ refusal: 'id_known' });
    if (username !== null && (known.byUsername.has(username) || taken.has(username))) {
      return of({ refusal: 'name_known' });
    }
    for (const key of [identifier, userId, ...(username === null ? [] : [username])]) {
      taken.set(key, userId);
    }
    return of('new');
  });
}
