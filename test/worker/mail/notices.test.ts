import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testPassword } from '../../support/api.ts';
import { type MailWorld, startMailWorld } from './mail-world.ts';

const service = 'latchkey.test';

describe('given a worker that sends mails, and people with proven addresses', () => {
  let world: MailWorld;
  beforeAll(async () => {
    world = await startMailWorld();
    await world.startWorker();
  });
  afterAll(() => world.close());

  /** Once all was looked at: the subjects of the notices to this address. */
  async function notices(email: string): Promise<string[]> {
    await world.settled();
    return world.smtp.mails
      .filter(({ to, text }) => to === email && !text.includes('#'))
      .map(({ subject }) => subject);
  }
  const textOf = (email: string) => world.smtp.mails.findLast(({ to }) => to === email)!.text;

  async function failTwelveTimes(email: string): Promise<void> {
    for (let tries = 0; tries < 12; tries += 1) {
      const body = { email, password: 'a wrong and ordinary sentence' };
      await world.api.call('POST', '/auth/login', { body });
    }
  }

  it('a changed password is told', async () => {
    const { id, email } = await world.provenUser();
    await world.change(id, { type: 'ChangePassword' });
    expect(await notices(email)).toEqual([`Your password for ${service} was changed`]);
    expect(textOf(email)).toMatch(/On \d+ \w+ \d{4} at \d\d:\d\d UTC/);
  });

  // Fails when each failure is a mail.
  it('twelve failures and their lock are one mail, and two locks soon after as well', async () => {
    const { id, email } = await world.provenUser();
    await failTwelveTimes(email);
    await world.change(id, { type: 'UnlockUser' });
    await failTwelveTimes(email);
    expect(await notices(email)).toEqual([`Too many wrong passwords for ${service}`]);
    expect(await world.metric('latchkey_mail_limited_total')).toBeGreaterThan(0);
  });

  it('who has not proven the address is told nothing', async () => {
    const { id, email } = await world.api.register();
    await failTwelveTimes(email);
    await world.change(id, { type: 'UnlockUser' });
    await world.change(id, { type: 'ChangePassword' });
    expect(await notices(email)).toEqual([]);
  });

  it('a login on a new device is told, one on a known device is not', async () => {
    const { email } = await world.oldUser();
    const first = await world.api.logIn({ email, device: 'iot' });
    expect(await notices(email)).toEqual([`New login to ${service}`]);
    await world.api.logIn({ email, device: 'iot', fields: { device_token: first.device_token } });
    expect(await notices(email)).toHaveLength(1);
  });

  it("the first logins after the registration are the person's own", async () => {
    const { email } = await world.provenUser();
    await world.api.logIn({ email });
    expect(await notices(email)).toEqual([]);
  });

  // Fails when what an attacker calls a device becomes a link or markup in the victim's mail.
  it('the name of a device loses links, markup and control characters', async () => {
    const { email } = await world.oldUser();
    const name = '<b>Pay</b> at https://evil.example now';
    const body = { email, password: testPassword, device: { type: 'mobile', name } };
    expect((await world.api.call('POST', '/auth/login', { body })).status).toBe(200);
    await world.settled();
    const mail = world.smtp.mails.findLast(({ to }) => to === email)!;
    expect(mail.text).toContain('<b>Pay</b> at now (mobile)');
    expect(mail.html).toContain('&lt;b&gt;Pay&lt;/b&gt; at now (mobile)');
    expect(mail.text + mail.html).not.toContain('evil.example');
  });

  it('a session that another browser replaced is told, with one mail for one login', async () => {
    const { email } = await world.oldUser();
    const one = { 'user-agent': 'Firefox on Linux' };
    const { device_token } = await world.api.logIn({ email, headers: one });
    // A new device supersedes: of that login the mail of the new device tells.
    await world.api.logIn({ email, headers: { 'user-agent': 'Chrome on Windows' } });
    expect(await notices(email)).toEqual([`New login to ${service}`]);
    // The first one, which is known, supersedes that of the other browser.
    await world.api.logIn({ email, headers: one, fields: { device_token } });
    expect((await notices(email)).slice(1)).toEqual([`A session at ${service} was replaced`]);
    // The same browser again: the person's own doing.
    await world.api.logIn({ email, headers: one, fields: { device_token } });
    expect(await notices(email)).toHaveLength(2);
  });

  it('a refresh token that came twice is told', async () => {
    const { email } = await world.provenUser();
    const { refresh_token } = await world.api.logIn({ email });
    const second = await world.api.refresh(refresh_token);
    await world.api.refresh(second.body.refresh_token);
    expect((await world.api.refresh(refresh_token)).status).toBe(401);
    expect(await notices(email)).toEqual([`A session at ${service} was ended for your safety`]);
  });
});
