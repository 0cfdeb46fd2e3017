import { removeIssuerKeys } from '../../app/keyset/remove-issuer-keys.ts';
import { everyMinute, type Job } from '../job.ts';

/** Removes issuer keys whose last token has expired, and then their private parts. */
export const removeKeys: Job = {
  name: 'keys.remove',
  cron: everyMinute,
  atStart: true,
  run: async (context) => {
    const removed = await removeIssuerKeys(context, context.by);
    if (removed.length > 0) context.log.info({ kids: removed }, 'retired keys removed');
  },
};
