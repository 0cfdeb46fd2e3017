import { issuerKeysetId } from '../../domain/kernel/ids.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { changeKeyset } from '../../tables/change.ts';
import { findIssuerKeyset } from '../../tables/keyset.ts';
import { everyMinute, type Job, type JobContext } from '../job.ts';

const keepRevokedForSeconds = limits.accessTokenTtlSecondsMax + limits.revocationMarginSeconds;

/** Removes issuer keys whose last token has expired, and then their private parts. */
export const removeKeys: Job = {
  name: 'keys.remove',
  cron: everyMinute,
  atStart: true,
  run: async (context) => {
    const removed = await removeRetiredKeys(context);
    await deleteRemovedSecrets(context);
    if (removed.length > 0) context.log.info({ kids: removed }, 'retired keys removed');
  },
};

function removeRetiredKeys(context: JobContext): Promise<string[]> {
  return context.handler.run(issuerKeysetId, async () => {
    const keyset = await findIssuerKeyset(context.records);
    const change = changeKeyset(issuerKeysetId, keyset, {
      type: 'RemoveRetired',
      now: context.now(),
      keepRevokedForSeconds,
    });
    if (change.events.length === 0) return { command: null, answer: () => [] };
    return {
      command: {
        commandId: newId(),
        meta: context.meta,
        streams: [change.touch],
        rows: change.rows,
      },
      answer: () => change.events.map(({ data }) => (data as { kid: string }).kid),
    };
  });
}

/**
 * A key and its secret are written in one transaction, so a secret without a key is one that was
 * removed.
 */
async function deleteRemovedSecrets({ readers }: JobContext): Promise<void> {
  await readers.query({
    name: 'delete-removed-secrets',
    text: `delete from latchkey.key_secrets s where s.purpose = 'issuer-signing' and not exists (
      select from latchkey.keysets k, jsonb_array_elements(k.keys) as key
      where k.keyset_id = $1 and key ->> 'kid' = s.kid)`,
    values: [issuerKeysetId],
  });
}
