import type { JobResult } from 'pg-boss';
import type { MailContext } from '../../app/mail/mail-context.ts';
import { writeMail } from '../../app/mail/write-mail.ts';
import type { MailJob } from '../../consumers/mail-outbox/jobs.ts';
import { MailRefusal } from '../../platform/mail/message.ts';
import type { JobLogger } from '../job.ts';
import type { MailServer } from './mail-server.ts';
import type { DeliveryOutcome, MailMetrics } from './metrics.ts';

export interface DeliveryParts {
  readonly context: MailContext;
  readonly server: MailServer;
  readonly metrics: MailMetrics;
  readonly log: JobLogger;
  readonly signal: AbortSignal;
}

/** A mail that one worker cannot get rid of for so long goes back into the queue. */
const patienceMs = 10 * 60_000;

/**
 * Delivers one mail. It is written anew for each try: what died meanwhile is not sent. While the
 * server takes nothing at all the mail waits here, and those behind it in the queue: so an outage
 * costs none of them a retry. A refusal for good goes to the failed jobs at once.
 */
export async function deliver(
  { context, server, metrics, log, signal }: DeliveryParts,
  { id, data }: { readonly id: string; readonly data: MailJob },
): Promise<JobResult> {
  const { kind, pos } = data;
  const patientUntil = performance.now() + patienceMs;
  const ended = (outcome: DeliveryOutcome) => metrics.deliveries.inc({ kind, outcome });
  try {
    for (;;) {
      const written = await writeMail(context, { id, ...data });
      if ('skipped' in written) {
        ended('skipped');
        log.info({ kind, pos, why: written.skipped }, 'mail skipped');
        return { id, status: 'completed', output: { skipped: written.skipped } };
      }
      const refusal = await server.send(written.mail).then(() => null, onlyRefusals);
      if (refusal === null) {
        ended('sent');
        log.info({ kind, pos }, 'mail sent');
        return { id, status: 'completed' };
      }
      const waits = refusal.scope === 'server' && performance.now() < patientUntil;
      if (!waits || signal.aborted) throw refusal;
      await server.pause();
    }
  } catch (error) {
    const isForGood = error instanceof MailRefusal && error.scope === 'never';
    ended(isForGood ? 'refused' : 'retried');
    const { message } = error as Error;
    log.warn({ kind, pos, reason: message, for_good: isForGood }, 'mail not delivered');
    return { id, status: isForGood ? 'deadletter' : 'failed', output: { message } };
  }
}

function onlyRefusals(error: unknown): MailRefusal {
  if (error instanceof MailRefusal) return error;
  throw error;
}
