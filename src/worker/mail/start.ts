import type { KeyObject } from 'node:crypto';
import type { PgBoss } from 'pg-boss';
import { startMailOutbox } from '../../consumers/mail-outbox/start.ts';
import { type MailLanguage, mailKinds, mailLanguages } from '../../domain/mail/mail-kinds.ts';
import type { LogGuard } from '../../eventlog/log-guard.ts';
import { SubjectKeys } from '../../platform/crypto/subject-cipher.ts';
import type { SendMail } from '../../platform/mail/message.ts';
import { openSmtp } from '../../platform/mail/smtp.ts';
import { MailTemplates } from '../../platform/mail/templates.ts';
import type { JobContext } from '../job.ts';
import { type MailQueue, oldestMailSeconds, startMailQueue } from './mail-queue.ts';
import { MailServer } from './mail-server.ts';
import { mailMetrics } from './metrics.ts';

/** What of the configuration mails need. */
export interface MailConfig {
  readonly issuer: string;
  readonly smtpUrl: string | undefined;
  readonly from: string | undefined;
  readonly language: MailLanguage;
  readonly templates: string | undefined;
}

/** Who takes the mails. Without a server and a mailbox none is sent. */
interface MailReceiver {
  readonly mail?: MailConfig;
  readonly mailbox?: SendMail;
}

interface MailParts {
  readonly job: JobContext;
  readonly mailProofKey: KeyObject;
  readonly boss: PgBoss;
  readonly guard: LogGuard;
  /** Past any pooler. */
  readonly databaseUrl: string;
  readonly pollSeconds: number;
}

export interface MailDelivery {
  /** `mail` and why, while mails are not delivered. */
  degraded(): readonly string[];
  /** Queues no more mails. Those under way end with the queue; then `close`. */
  stop(): Promise<void>;
  close(): void;
}

const lookMs = 5_000;

/** Sends the mails that the log causes from now on. Throws ConfigError for bad templates. */
export async function startMail(
  parts: MailParts,
  { mail: config, mailbox }: MailReceiver,
): Promise<MailDelivery | null> {
  if (config === undefined) return null;
  const { job, boss, guard, databaseUrl } = parts;
  const { smtpUrl: url, from = '' } = config;
  const smtp = url === undefined ? null : openSmtp({ url, from });
  const send = smtp?.send ?? mailbox;
  if (send === undefined) return null;
  const { readers, log, signal } = job;
  const metrics = mailMetrics(job.metrics.registry);
  const server = new MailServer({ send, metrics, log, signal });
  const context = {
    ...{ cells: job.cells, mailProofKey: parts.mailProofKey, now: job.now },
    // No poll tells a worker of an erasure: it keeps no key for longer than a mail takes.
    subjectKeys: new SubjectKeys({
      keyWrap: job.keyWrap,
      cachedKeysMax: 1_000,
      cachedKeyTtlSeconds: 1,
    }),
    templates: new MailTemplates({
      ...{ kinds: mailKinds, languages: mailLanguages, directory: config.templates },
    }),
    ...{ language: config.language, issuer: config.issuer },
  };
  const delivery = { context, server, metrics, log, signal };
  const queue: MailQueue = await startMailQueue(boss, {
    ...delivery,
    guard,
    pollSeconds: parts.pollSeconds,
  });
  const outbox = await startMailOutbox({
    ...{ databaseUrl, guard, readers, log, registry: job.metrics.registry },
    enqueue: queue.enqueue,
    onQueued: queue.wake,
  });
  const look = async () => metrics.oldest.set(await oldestMailSeconds(readers));
  const timer = setInterval(() => void look().catch(() => {}), lookMs);
  timer.unref();
  return {
    degraded: () => [
      ...(server.isInTrouble || outbox.isInTrouble() ? ['mail'] : []),
      ...(server.isInTrouble ? ['mail_server'] : []),
      ...(outbox.isInTrouble() ? ['mail_outbox'] : []),
    ],
    stop: async () => {
      clearInterval(timer);
      await outbox.stop();
    },
    close: () => smtp?.close(),
  };
}
