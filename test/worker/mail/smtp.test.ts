import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listFailedJobs, redriveJobs } from '../../../src/worker/failed-jobs.ts';
import { eventually } from '../eventually.ts';
import { type MailWorld, startMailWorld } from './mail-world.ts';

describe('given a mail server that', () => {
  let world: MailWorld;
  beforeEach(async () => {
    world = await startMailWorld();
    await world.startWorker();
    await world.settled();
  });
  afterEach(() => world.close());

  const failed = () => listFailedJobs(world.api.node.cells.home.readers);
  const asked = async () => {
    const user = await world.api.register();
    await world.request(user.id, 'reset');
    return user;
  };

  // Fails when a mailbox that does not exist is tried for days, or holds up the mails of others.
  it('refuses a recipient for good: the job fails at once, and can be put back', async () => {
    const unknown = await world.api.register();
    world.smtp.treat({ recipient: (address) => (address === unknown.email ? 550 : null) });
    await world.request(unknown.id, 'reset');
    const other = await asked();
    await world.mailsTo(other.email);
    const [job] = await eventually(async () => (await failed()).length > 0 && failed());
    expect(job).toMatchObject({ queue: 'mail.deliver', count: 1, reason: 'EENVELOPE RCPT TO 550' });
    expect(JSON.stringify([await world.jobs(), world.lines])).not.toContain(unknown.email);
    world.smtp.treat({});
    expect(await redriveJobs(world.api.database.appUrl, 'mail.deliver')).toBe(1);
    await world.mailsTo(unknown.email);
    expect(await failed()).toEqual([]);
  });

  it.each([
    ['refuses a recipient for now', { recipient: () => 450 }],
    ['refuses the message for now', { data: 451 }],
    ['drops the connection in the message', { data: 'drop' }],
    ['refuses every connection', { connection: 421 }],
  ] as const)(
    '%s: the mail comes later, once',
    async (_, treatment) => {
      world.smtp.treat(treatment);
      const { email } = await asked();
      await eventually(async () =>
        world.lines.some(({ message }) => /not delivered|wait/.test(message)),
      );
      world.smtp.treat({});
      const mails = await world.mailsTo(email);
      await world.settled();
      expect(mails).toHaveLength(1);
    },
    60_000,
  );

  it('loses its answer: the mail comes again under the same Message-ID', async () => {
    world.smtp.treat({ data: 'lose' });
    const { email } = await asked();
    await world.mailsTo(email);
    world.smtp.treat({});
    const mails = await world.mailsTo(email, 2);
    expect(new Set(mails.map(({ messageId }) => messageId)).size).toBe(1);
    expect(mails[0]!.messageId).toMatch(/^<[0-9a-f-]{36}@latchkey\.test>$/);
  });

  it('is slow: no request waits for it', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let first = true;
    world.smtp.treat({
      hold: () => {
        const wait = first ? held : Promise.resolve();
        first = false;
        return wait;
      },
    });
    const slow = await asked();
    await eventually(async () => world.smtp.attempts() === 1);
    const body = { email: slow.email, password: 'x' };
    expect((await world.api.call('POST', '/auth/login', { body })).status).toBe(401);
    release();
    await world.mailsTo(slow.email);
  });
});
