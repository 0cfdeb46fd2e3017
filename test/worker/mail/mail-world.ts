import { Registry } from 'prom-client';
import { append } from '../../../src/app/append.ts';
import { byProgram } from '../../../src/app/by.ts';
import { PersonalData } from '../../../src/app/personal-data.ts';
import { changeUser } from '../../../src/app/user/change-user.ts';
import { existingUser } from '../../../src/app/user/existing-user.ts';
import type { UserCommand } from '../../../src/domain/user/decide.ts';
import {
  type MailSecretContext,
  mailCode,
  mailLinkSecret,
} from '../../../src/platform/crypto/mail-secret.ts';
import { newId } from '../../../src/platform/crypto/new-id.ts';
import { passwordRows } from '../../../src/tables/user.ts';
import { installJobSchema } from '../../../src/worker/job-schema.ts';
import type { MailConfig } from '../../../src/worker/mail/start.ts';
import { startWorker, type Worker, type WorkerOptions } from '../../../src/worker/worker.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { withClient } from '../../support/postgres.ts';
import { type ReceivedMail, startSmtp, type TestSmtp } from '../../support/smtp.ts';
import { eventually } from '../eventually.ts';

const by = byProgram('system', 'cli');

/** A command without the time, which the world knows. */
type Sent = UserCommand extends infer C
  ? C extends { now: number }
    ? Omit<C, 'now'>
    : never
  : never;

/** The real API, a worker that sends mails, and a real SMTP server. */
export class MailWorld {
  readonly api: TestApi;
  smtp: TestSmtp;
  readonly registry = new Registry();
  readonly lines: { readonly message: string; readonly fields: object }[] = [];
  readonly #workers: Worker[] = [];

  constructor(api: TestApi, smtp: TestSmtp) {
    this.api = api;
    this.smtp = smtp;
  }

  async startWorker(change: Partial<WorkerOptions> & { mail?: Partial<MailConfig> } = {}) {
    const { config, keyWrap } = this.api.node;
    const note = (fields: object, message: string) => void this.lines.push({ fields, message });
    const { mail, ...rest } = change;
    const worker = await startWorker({
      ...{ config, keyWrap, databaseUrl: this.api.database.appUrl, registry: this.registry },
      log: { info: note, warn: note, error: note },
      pollSeconds: 0.5,
      mail: {
        ...{ issuer: config.tokens.issuer, smtpUrl: this.smtp.url, from: 'L <l@example.com>' },
        ...{ language: 'en', templates: undefined, ...mail },
      },
      ...rest,
    });
    this.#workers.push(worker);
    return worker;
  }

  /** A user whose address is proven, as after the first code by mail. */
  async provenUser(email?: string): Promise<{ id: string; email: string }> {
    const user = await this.api.register(email);
    const requestId = newId();
    await this.change(user.id, { type: 'RequestMailProof', purpose: 'verification', requestId });
    await this.change(user.id, { type: 'VerifyEmail', requestId, keepsPassword: true });
    return user;
  }

  /** The same, two hours ago: a device of today is not the account's first one. */
  async oldUser(email?: string): Promise<{ id: string; email: string }> {
    const { now } = this.api.node;
    const clock = (read: () => number) => Object.assign(this.api.node, { now: read });
    clock(() => now() - 7_200_000);
    try {
      return await this.provenUser(email);
    } finally {
      clock(now);
    }
  }

  async change(userId: string, command: Sent): Promise<void> {
    const { cells, now } = this.api.node;
    const { readers, handler } = cells.of(userId);
    await handler.run(userId, async () => {
      const user = await existingUser(readers, userId);
      const changed = changeUser(userId, user, { ...command, now: now() } as UserCommand);
      const { state } = changed;
      const isSame = state.passwordChangedAt === user.state.passwordChangedAt;
      const rows = isSame ? {} : passwordRows(userId, state, user.passwordHash);
      return append(by, [changed, { rows }], () => undefined);
    });
  }

  /** Asks for a proof and answers its request id. */
  async request(userId: string, purpose: 'otp' | 'verification' | 'reset'): Promise<string> {
    const requestId = newId();
    await this.change(userId, { type: 'RequestMailProof', purpose, requestId });
    return requestId;
  }

  async requestEmailChange(userId: string, email: string): Promise<string> {
    const requestId = newId();
    const pii = (await this.personal(userId)).seal({ email });
    await this.change(userId, { type: 'RequestEmailChange', requestId, pii });
    return requestId;
  }

  async personal(userId: string): Promise<PersonalData> {
    const { cells, subjectKeys } = this.api.node;
    const { subjectKey } = await existingUser(cells.of(userId).readers, userId);
    return PersonalData.of(subjectKeys, userId, subjectKey);
  }

  async code(userId: string, requestId: string): Promise<string> {
    return mailCode(
      this.api.node.secrets.mailProofKey,
      await this.secretOf(userId, requestId, 'otp'),
    );
  }

  async linkSecret(userId: string, requestId: string, purpose: string): Promise<Buffer> {
    const context = await this.secretOf(userId, requestId, purpose);
    return mailLinkSecret(this.api.node.secrets.mailProofKey, context);
  }

  async secretOf(userId: string, requestId: string, purpose: string): Promise<MailSecretContext> {
    const { state } = await existingUser(this.api.node.cells.of(userId).readers, userId);
    const { emailVersion, passwordChangedAt } = state;
    return { purpose, userId, requestId, emailVersion, passwordChangedAt };
  }

  /** The mails to this address, once there are so many. */
  mailsTo(address: string, count = 1): Promise<ReceivedMail[]> {
    return eventually(async () => {
      const found = this.smtp.mails.filter(({ to }) => to === address);
      return found.length >= count && found;
    });
  }

  /** Whether there is a checkpoint: later events cause their mails. */
  async isFollowed(): Promise<boolean> {
    const { rows } = await this.api.node.cells.home.readers.query({
      text: `select from latchkey.checkpoints where consumer = 'mail.outbox'`,
    });
    return rows.length === 1;
  }

  /** Once all that happened so far was looked at, and nothing waits. */
  async settled(): Promise<void> {
    const { readers } = this.api.node.cells.home;
    const head = await readers.query({ text: 'select max(pos) as pos from latchkey.events' });
    await eventually(async () => {
      const { rows } = await readers.query({
        text: `select (select max(pos) from latchkey.checkpoints where consumer = 'mail.outbox')
            >= $1 as passed, not exists (select from pgboss_v12.job
              where name = 'mail.deliver' and state < 'completed') as empty`,
        values: [head.rows[0]!.pos],
      });
      return rows[0]!.passed === true && rows[0]!.empty === true;
    });
  }

  async jobs(): Promise<Record<string, unknown>[]> {
    const { rows } = await this.api.node.cells.home.readers.query({
      text: `select id, name, state, data, output, retry_count from pgboss_v12.job
        where name in ('mail.deliver', 'jobs.failed') order by created_on`,
    });
    return rows;
  }

  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    const values = (await this.registry.getSingleMetric(name)?.get())?.values ?? [];
    return values
      .filter((value) => Object.entries(labels).every(([key, is]) => value.labels[key] === is))
      .reduce((sum, { value }) => sum + value, 0);
  }

  async stopWorkers(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => worker.stop()));
  }

  async close(): Promise<void> {
    await this.stopWorkers();
    await this.api.stop();
    await this.smtp.stop();
  }
}

export async function startMailWorld(env: Record<string, string> = {}): Promise<MailWorld> {
  const api = await startTestApi(env);
  await withClient(api.database.ownerUrl, (client) => installJobSchema(client, 'latchkey_app'));
  return new MailWorld(api, await startSmtp());
}
