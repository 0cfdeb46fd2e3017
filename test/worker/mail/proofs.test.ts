import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeMailLink } from '../../../src/domain/user/mail-link.ts';
import { anEmail } from '../../support/api.ts';
import { type MailWorld, startMailWorld } from './mail-world.ts';

describe('given a worker that sends mails', () => {
  let world: MailWorld;
  let isFollowed: boolean;
  beforeAll(async () => {
    world = await startMailWorld();
    await world.startWorker();
    isFollowed = await world.isFollowed();
  });
  afterAll(() => world.close());

  // Fails when a worker has started and mails are still lost, until it has a connection.
  it('the log is followed from the moment in which the worker has started', () => {
    expect(isFollowed).toBe(true);
  });

  const tokenIn = (text: string) => /https?:\/\/\S+#([\w-]+)/.exec(text)![1]!;

  it('a code reaches the stored address', async () => {
    const { id, email } = await world.api.register();
    const requestId = await world.request(id, 'otp');
    const [mail] = await world.mailsTo(email);
    const code = await world.code(id, requestId);
    expect(mail!.subject).toBe('Your code for latchkey.test');
    expect(mail!.text).toContain(code);
    expect(mail!.html).toContain(code);
    expect(mail!.headers).toContain('Auto-Submitted: auto-generated');
    expect(mail!.headers).not.toContain(code);
  });

  it.each([
    ['verification', 'http://latchkey.test/auth/verify-email#'],
    ['reset', 'http://latchkey.test/auth/password/reset#'],
  ] as const)('a link for %s names user and request, and proves', async (purpose, start) => {
    const { id, email } = await world.api.register();
    const requestId = await world.request(id, purpose);
    const [mail] = await world.mailsTo(email);
    expect(mail!.text).toContain(start);
    const token = tokenIn(mail!.text);
    expect(mail!.html).toContain(`href="${start}${token}"`);
    const { secret, ...ids } = decodeMailLink(token)!;
    expect(ids).toEqual({ userId: id, requestId });
    expect(Buffer.from(secret)).toEqual(await world.linkSecret(id, requestId, purpose));
  });

  it('a new address gets the proof, the proven old one two notices', async () => {
    const { id, email } = await world.provenUser();
    const newEmail = anEmail();
    const requestId = await world.requestEmailChange(id, newEmail);
    const [proof] = await world.mailsTo(newEmail);
    const { secret } = decodeMailLink(tokenIn(proof!.text))!;
    expect(Buffer.from(secret)).toEqual(await world.linkSecret(id, requestId, 'email_change'));
    expect(proof!.text).toContain('http://latchkey.test/auth/email/confirm#');
    await world.settled();
    const pii = (await world.personal(id)).seal({ email: newEmail });
    await world.change(id, { type: 'ChangeEmail', requestId, pii });
    await world.settled();
    const told = world.smtp.mails.filter(({ to }) => to === email).map(({ subject }) => subject);
    expect(told.slice(-2)).toEqual([
      'Your address for latchkey.test is to be changed',
      'Your address for latchkey.test was changed',
    ]);
    expect(world.smtp.mails.filter(({ to }) => to === newEmail)).toHaveLength(1);
  });

  it('a job and what the log says of it name no address, no code and no secret', async () => {
    const { id, email } = await world.api.register();
    const requestId = await world.request(id, 'otp');
    await world.mailsTo(email);
    await world.settled();
    const jobs = (await world.jobs()).filter(
      ({ data }) => (data as { userId: string }).userId === id,
    );
    expect(jobs.map(({ data }) => data)).toEqual([
      { kind: 'one-time-code', userId: id, pos: expect.any(Number), requestId },
    ]);
    const said = JSON.stringify([jobs, world.lines]);
    expect(said).not.toContain(email);
    expect(said).not.toContain(await world.code(id, requestId));
  });
});

describe('given mails that wait for a worker', () => {
  let world: MailWorld;
  beforeAll(async () => {
    world = await startMailWorld();
    await world.startWorker();
    await world.settled();
    await world.stopWorkers();
  });
  afterAll(() => world.close());

  // Fails when a mail is what it was when it was asked for: then an old code looks like a good one.
  it('those that have died meanwhile are not sent, and the others once', async () => {
    const replaced = await world.api.register();
    await world.request(replaced.id, 'reset');
    const used = await world.api.register();
    const usedId = await world.request(used.id, 'verification');
    await world.change(used.id, { type: 'VerifyEmail', requestId: usedId, keepsPassword: true });
    const disabled = await world.api.register();
    await world.request(disabled.id, 'otp');
    await world.change(disabled.id, { type: 'DisableUser', otherActiveAdmins: 1 });
    const changed = await world.api.register();
    await world.request(changed.id, 'otp');
    await world.change(changed.id, { type: 'ChangePassword' });
    await world.change(replaced.id, { type: 'ChangePassword' });
    const open = await world.api.register();
    await world.request(open.id, 'reset');
    await world.startWorker();
    await world.mailsTo(open.email);
    await world.settled();
    expect(world.smtp.mails.map(({ to }) => to)).toEqual([open.email]);
    expect(await world.metric('latchkey_mail_deliveries_total', { outcome: 'skipped' })).toBe(6);
    expect(await world.metric('latchkey_mail_deliveries_total', { outcome: 'sent' })).toBe(1);
  });

  it('an erased person gets none: without the key nobody knows the address', async () => {
    await world.stopWorkers();
    const { id } = await world.api.register();
    await world.request(id, 'reset');
    const { readers } = world.api.node.cells.home;
    await readers.query({
      text: 'delete from latchkey.subject_keys where subject_id = $1',
      values: [id],
    });
    const before = world.smtp.mails.length;
    await world.startWorker();
    await world.settled();
    expect(world.smtp.mails).toHaveLength(before);
  });
});

describe('given a log that was never followed', () => {
  let world: MailWorld;
  beforeAll(async () => {
    world = await startMailWorld();
  });
  afterAll(() => world.close());

  it('mails are sent for what happens from the first start on', async () => {
    const before = await world.api.register();
    await world.request(before.id, 'otp');
    await world.startWorker();
    await world.settled();
    const after = await world.api.register();
    await world.request(after.id, 'otp');
    await world.mailsTo(after.email);
    await world.settled();
    expect(world.smtp.mails.map(({ to }) => to)).toEqual([after.email]);
  });
});
