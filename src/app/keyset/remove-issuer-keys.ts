import { issuerKeysetId } from '../../domain/kernel/ids.ts';
import { limits } from '../../domain/kernel/limits.ts';
import type { Node } from '../../node/node.ts';
import { changeKeyset } from '../../tables/change.ts';
import { deleteRemovedSecrets, findIssuerKeyset } from '../../tables/keyset.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';

const keepRevokedForSeconds = limits.accessTokenTtlSecondsMax + limits.revocationMarginSeconds;

/**
 * Removes the issuer keys whose last token has expired, and then their private parts. Answers the
 * kids that this call removed. Raises `unavailable`.
 */
export async function removeIssuerKeys(
  { cells, now }: Pick<Node, 'cells' | 'now'>,
  by: By,
): Promise<string[]> {
  const { readers, handler } = cells.home;
  const removed = await handler.run(issuerKeysetId, async () => {
    const change = changeKeyset(issuerKeysetId, await findIssuerKeyset(readers), {
      type: 'RemoveRetired',
      now: now(),
      keepRevokedForSeconds,
    });
    return append(by, [change], () =>
      change.events.map(({ data }) => (data as { kid: string }).kid),
    );
  });
  await deleteRemovedSecrets(readers, issuerKeysetId);
  return removed;
}
